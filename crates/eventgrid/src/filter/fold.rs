//! Text that compares without regard to case.

use std::borrow::Cow;

/// A text of a filter, with its lower-case form beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    written: String,
    folded: String,
}

impl Folded {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let written = text.into();
        let folded = folded(&written).into_owned();
        Self { written, folded }
    }

    pub(super) fn as_written(&self) -> &str {
        &self.written
    }

    pub(super) fn as_folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

/// The lower-case form of a text, letter by letter: what it is next to does not matter.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
}
