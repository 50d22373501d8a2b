//! Which values of dimensions are wanted, and which dimensions are told apart. Pure.

use kernel::Result;

use super::catalogue::Metric;
use super::request::bad;

/// Dimensions, each with the values that are wanted; `*` is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(pub Vec<(String, Vec<String>)>);

impl Filter {
    /// Reads `Dim eq 'v' or Dim eq 'w' and Other eq '*'`.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            bad("The filter must be such as: Operation eq 'SendChatMessage' or Operation eq \
                 'GetChatMessage' and StatusCode eq '*'.")
        };
        let mut parts: Vec<(String, Vec<String>)> = Vec::new();
        for condition in split(text, " and ") {
            let mut dimension: Option<String> = None;
            let mut values = Vec::new();
            for choice in split(condition, " or ") {
                let (name, value) = choice.trim().split_once(" eq ").ok_or_else(wrong)?;
                let value = value.trim().strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
                let name = name.trim();
                if dimension.as_deref().is_some_and(|known| !known.eq_ignore_ascii_case(name)) {
                    return Err(bad("In a filter, or may only join values of one dimension."));
                }
                dimension = Some(name.to_owned());
                values.push(value.ok_or_else(wrong)?.to_owned());
            }
            parts.push((dimension.ok_or_else(wrong)?, values));
        }
        Ok(Self(parts))
    }

    /// Refuses a dimension that none of the metrics has.
    pub(super) fn check(&self, metrics: &[&Metric]) -> Result<()> {
        let known: Vec<&str> =
            metrics.iter().flat_map(|it| it.dimensions).map(|(name, _)| *name).collect();
        for (name, _) in &self.0 {
            if !known.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                let metrics: Vec<_> = metrics.iter().map(|it| it.name).collect();
                let has = match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                };
                return Err(bad(format!(
                    "There is no dimension {name:?} of {}. There is: {has}.",
                    metrics.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// Splits outside of quotes.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let lower = text.to_ascii_lowercase();
    let (mut parts, mut begun, mut at, mut quoted) = (Vec::new(), 0, 0, false);
    while at < text.len() {
        quoted ^= text.as_bytes()[at] == b'\'';
        if !quoted && lower[at..].starts_with(separator) {
            parts.push(&text[begun..at]);
            at += separator.len();
            begun = at;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    parts.push(&text[begun..]);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_within_quotes_are_values() {
        let filter = Filter::parse("A eq 'x and y' or a eq 'z' AND B eq '*'").unwrap();
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let expected =
            vec![("a".to_owned(), texts(&["x and y", "z"])), ("B".to_owned(), texts(&["*"]))];
        assert_eq!(filter.0, expected);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = Filter::parse(&text);
        }
    }
}
