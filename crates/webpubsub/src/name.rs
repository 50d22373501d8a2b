//! The names that callers choose, checked once at the door.
//!
//! Sources: the parameter rules of the REST description (api-version 2024-12-01) and the event-name
//! rule of the public emulator.

use kernel::{Error, ErrorKind, Result};

/// The longest hub name, in characters.
const MAX_HUB: usize = 128;
/// The longest group name, in characters.
const MAX_GROUP: usize = 1024;

/// The name of a hub: letters fold to lower case, since hubs are matched ignoring case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubName(Box<str>);

impl HubName {
    /// Checks a name.
    ///
    /// # Errors
    /// `Invalid` when the text is no hub name; says the rule.
    pub fn parse(text: &str) -> Result<Self> {
        let follows =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '`' | ',' | '.' | '[' | ']');
        let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().count() <= MAX_HUB
            && text.chars().all(follows);
        if valid {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        let message = format!(
            "Invalid hub name '{}'. A hub name begins with a letter and has at most {MAX_HUB} \
             characters: letters, digits and _ ` , . [ ].",
            shown(text)
        );
        Err(Error::new(ErrorKind::Invalid, "Error.BadRequest", message).target("hub"))
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks the name of a group: 1 to 1024 characters, not only white space, its case kept.
///
/// # Errors
/// `Invalid` when the text is no group name; says the rule.
pub fn check_group(text: &str) -> Result<()> {
    if !text.trim().is_empty() && text.chars().count() <= MAX_GROUP {
        return Ok(());
    }
    let message = format!(
        "Invalid group name '{}'. A group name has 1 to {MAX_GROUP} characters and is not only \
         white space.",
        shown(text)
    );
    Err(Error::new(ErrorKind::Invalid, "Error.BadRequest", message).target("group"))
}

/// Whether a text may name a user event: a letter, then letters, digits, `_`, `.` or `-`, at most
/// 128 in all.
pub fn is_event(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 128
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// As much of a refused name as belongs into a message.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let cut: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_names_follow_the_documented_pattern() {
        for good in ["chat", "Chat_1", "a`,.[]", &"h".repeat(128)] {
            assert_eq!(HubName::parse(good).unwrap().as_str(), good.to_lowercase());
        }
        for bad in ["", "1chat", "_chat", "cha t", "chät", "chat/x", &"h".repeat(129)] {
            let error = HubName::parse(bad).unwrap_err();
            assert_eq!((error.kind(), error.target_name()), (ErrorKind::Invalid, Some("hub")));
            assert!(error.message().contains("begins with a letter"), "{error}");
        }
    }

    #[test]
    fn group_names_are_free_but_neither_blank_nor_endless() {
        for good in ["g", " g ", "a/b", "群", &"群".repeat(1024)] {
            assert!(check_group(good).is_ok(), "{good}");
        }
        for bad in ["", " \t", &"g".repeat(1025)] {
            assert!(check_group(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn event_names_are_letters_first() {
        assert!(is_event("order") && is_event("chat.send-message_2"));
        assert!(
            !is_event("")
                && !is_event("1order")
                && !is_event("or der")
                && !is_event(&"e".repeat(129))
        );
    }
}
