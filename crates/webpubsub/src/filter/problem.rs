//! What is wrong with a filter's text, as its author is told.

use std::ops::Range;

pub(super) type Result<T> = std::result::Result<T, Problem>;

/// One thing that is wrong. Ranges and positions are bytes of the text.
#[derive(Debug)]
pub(super) struct Problem {
    /// The expression that cannot be.
    pub(super) within: Range<usize>,
    /// Where in the text.
    pub(super) at: usize,
    /// What is wrong: a sentence.
    pub(super) detail: String,
    /// What would be right: a sentence.
    pub(super) cure: String,
}

impl Problem {
    /// The whole message. Up to the parameter's name it reads as the service's own; the character
    /// is counted from 1.
    pub(super) fn message(&self, text: &str) -> String {
        let character = 1 + text[..self.at].chars().count();
        format!(
            "Invalid syntax for '{}': {} (Parameter 'filter') At character {character}: {}",
            shown(&text[self.within.clone()]),
            self.detail,
            self.cure
        )
    }
}

/// As much of a text as belongs into a message, on one line.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 100;
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == SHOWN => {
                out.push('…');
                break;
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}
