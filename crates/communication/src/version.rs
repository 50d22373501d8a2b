//! The api-versions that each part of the service answers.

use kernel::{Error, ErrorKind, Result};

/// Versions of one part.
#[derive(Debug)]
pub(crate) struct Versions {
    /// The value of `api-supported-versions`.
    pub(crate) header: &'static str,
    /// Versions that are answered like the stable ones, without being announced.
    previews: &'static [&'static str],
}

/// `/identities`, `/access`.
pub(crate) const IDENTITY: Versions = Versions {
    header: "2021-03-07, 2022-06-01, 2022-10-01, 2023-08-01, 2023-10-01, 2025-06-30, 2026-07-22, \
             2026-09-23",
    previews: &[
        "2021-10-31-preview",
        "2022-01-11-preview",
        "2025-03-02-preview",
        "2025-04-01-preview",
    ],
};

/// `/chat`.
pub(crate) const CHAT: Versions = Versions {
    header: "2021-03-07, 2021-09-07, 2023-11-07, 2024-03-07, 2024-09-01, 2025-03-15",
    previews: &["2021-01-27-preview4", "2021-04-05-preview6", "2023-07-01-preview"],
};

impl Versions {
    /// Checks the parameter `api-version`, which every operation needs.
    ///
    /// # Errors
    /// `Invalid`, with the versions that exist.
    pub(crate) fn check(&self, version: Option<&str>) -> Result<()> {
        let refuse = |what: &str| {
            let message = format!("{what} Use one of {}.", self.header);
            let error = Error::new(ErrorKind::Invalid, "UnsupportedApiVersion", message);
            Err(error.target("api-version"))
        };
        let mut known = self.header.split(", ").chain(self.previews.iter().copied());
        match version {
            None => refuse("The query parameter api-version is missing."),
            Some(version) if known.any(|it| it == version) => Ok(()),
            Some(_) => refuse("The api-version is not supported."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_pass_and_others_are_told_them() {
        for version in ["2021-03-07", "2023-10-01", "2025-03-02-preview"] {
            assert!(IDENTITY.check(Some(version)).is_ok(), "{version}");
        }
        for version in [None, Some(""), Some("2019-01-01"), Some("2021-03-07, 2022-06-01")] {
            let error = CHAT.check(version).unwrap_err();
            assert!(error.message().contains("2025-03-15"), "{error}");
            assert_eq!(error.target_name(), Some("api-version"));
        }
    }
}
