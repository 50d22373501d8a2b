//! The text form of Prometheus, read back: the one registry stays the one place where things are counted.

use std::collections::BTreeMap;

/// One series and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series<'a> {
    pub name: &'a str,
    pub labels: BTreeMap<&'a str, &'a str>,
    pub value: f64,
}

/// The series of a text; lines that are none are passed over.
pub(super) fn series(text: &str) -> impl Iterator<Item = Series<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line)
}

fn line(line: &str) -> Option<Series<'_>> {
    let (name_and_labels, value) = line.rsplit_once(' ')?;
    let (name, rest) = match name_and_labels.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (name_and_labels, ""),
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        // None of our values holds a quote: they are names, numbers and words.
        let (value, after) = after.split_once('"')?;
        labels.insert(key, value);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(Series { name, labels, value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_labels_and_values_are_read_and_comments_are_not() {
        let text =
            "# HELP x y\nx_total{a=\"1\",b=\"two words\"} 3\ny 0.5\n# EOF\nnonsense\nz{a} 1\n";
        let read: Vec<_> = series(text).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].labels, BTreeMap::from([("a", "1"), ("b", "two words")]));
        assert_eq!(
            (read[0].name, read[0].value, read[1].name, read[1].value),
            ("x_total", 3.0, "y", 0.5)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            series(&text).for_each(drop);
        }
    }
}
