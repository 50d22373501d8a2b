//! The refusals of the service, with its sub-codes: one function a kind of refusal.
//!
//! The `code` of an error made here is the service's five-digit sub-code; the front shows the HTTP
//! status and the sentence, as the official clients read no more than those.

use kernel::{Error, ErrorKind};

/// What a refusal shows of a text that a stranger sent, at most.
const SHOWN_CHARS: usize = 120;

/// 40000: the request breaks a rule; the sentence says which, and what is right.
pub(crate) fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "40000", message)
}

/// 40403: the thing named does not exist.
pub(crate) fn not_found(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotFound, "40403", message)
}

/// 41200: the thing named is not in the version that `If-Match` asks for.
pub(crate) fn precondition_failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::PreconditionFailed, "41200", message)
}

/// A stranger's text as part of a sentence: short, and on one line.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}
