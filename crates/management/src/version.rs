//! The check of `api-version`: present, and a date. Every version is answered alike, since clients
//! of many years send theirs and the calls kept their form.

use kernel::{Error, ErrorKind, Result};

use crate::query::Query;

/// Checks that the query names a version such as `2025-02-15` or `2021-10-15-preview`.
///
/// # Errors
/// `MissingApiVersionParameter`, `InvalidApiVersionParameter`.
pub(crate) fn check(query: &Query) -> Result<()> {
    let Some(version) = query.one("api-version") else {
        let message = "The api-version query parameter (?api-version=) is required for all \
                       requests. SDKs send theirs; by hand, add ?api-version=2025-02-15.";
        return Err(refused("MissingApiVersionParameter", message));
    };
    if is_version(version) {
        return Ok(());
    }
    let shown: String = version.chars().take(40).collect();
    let message = format!(
        "The api-version '{}' is invalid. It is a date, perhaps with '-preview', such as 2025-02-15.",
        shown.escape_debug()
    );
    Err(refused("InvalidApiVersionParameter", message))
}

fn is_version(version: &str) -> bool {
    let Some((date, label)) = version.split_at_checked("2025-02-15".len()) else { return false };
    let is_date = date.parse::<jiff::civil::Date>().is_ok();
    let mut letters = label.strip_prefix('-').unwrap_or_default().chars();
    is_date && (label.is_empty() || letters.next().is_some() && label[1..].chars().all(is_word))
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
}

fn refused(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, code, message).target("api-version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str) -> Option<String> {
        check(&Query::parse(query)).err().map(|error| error.code().to_owned())
    }

    #[test]
    fn dates_pass_with_or_without_a_label() {
        for version in ["2025-02-15", "2021-10-15-preview", "2017-04-01", "2014-12-19-Preview"] {
            assert_eq!(code(&format!("api-version={version}")), None, "{version}");
        }
    }

    #[test]
    fn a_missing_version_and_one_that_is_no_date_are_told_apart() {
        for query in ["", "api-version=", "version=2025-02-15"] {
            assert_eq!(code(query).as_deref(), Some("MissingApiVersionParameter"), "{query}");
        }
        for version in [
            "1",
            "latest",
            "2025-02-30",
            "2025-02-15-",
            "2025-02-15x",
            "2025-02-15-a/b",
            "é025-02-15",
        ] {
            let found = code(&format!("api-version={version}"));
            assert_eq!(found.as_deref(), Some("InvalidApiVersionParameter"), "{version}");
        }
    }
}
