//! The name of a value: `subject`, `data.order.total`, a CloudEvent's extension.
//!
//! Dots lead into objects, so a name that holds a dot itself cannot be reached.

/// A key, split at its dots. No part is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    written: String,
    parts: Box<[Box<str>]>,
}

impl Key {
    /// `None` when there is nothing between two dots or at an end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Box<[Box<str>]> = text.split('.').map(Box::from).collect();
        let complete = parts.iter().all(|part| !part.trim().is_empty());
        complete.then(|| Self { written: text.to_owned(), parts })
    }

    pub(super) fn as_written(&self) -> &str {
        &self.written
    }

    /// The first part and what follows it.
    pub(super) fn split(&self) -> (&str, &[Box<str>]) {
        let (first, rest) = self.parts.split_first().expect("a key has at least one part");
        (first, rest)
    }
}
