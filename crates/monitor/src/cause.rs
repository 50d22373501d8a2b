//! How a row of a log table says why something failed: its message ends in `cause=TokenExpired`.
//!
//! The columns of the tables are documented and have none for it. What callers choose comes before it,
//! so only its last word counts. Whoever writes rows uses [`told`], the playbook reads them by
//! `column` and `clause`, and nobody matches other words of a message.

use kernel::Cause;

const KEY: &str = "cause=";

/// A message with the cause at its end, if one is known.
pub fn told(mut message: String, cause: Option<Cause>) -> String {
    if let Some(cause) = cause {
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(KEY);
        message.push_str(cause.as_str());
    }
    message
}

/// What reads the cause from the column of messages, in the query language: its word, or nothing.
pub(crate) fn column(message: &str) -> String {
    format!("extract(\"{KEY}([A-Za-z]+)$\", 1, {message})")
}

/// The condition of the query language that picks rows of a cause by the column of messages.
pub(crate) fn clause(column: &str, cause: Cause) -> String {
    format!("{column} endswith \"{KEY}{cause}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_the_last_word_of_a_message() {
        let told = |message: &str, cause| told(message.to_owned(), cause);
        let expired = Some(Cause::TokenExpired);
        assert_eq!(told("It expired.", expired), "It expired. cause=TokenExpired");
        assert_eq!(told("", expired), "cause=TokenExpired");
        assert_eq!(told("It rains.", None), "It rains.");
    }
}
