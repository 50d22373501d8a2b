//! What a user access token permits.
//!
//! | scope | rights |
//! |---|---|
//! | `chat` | everything in chat |
//! | `chat.join` | no creating, updating or deleting of threads |
//! | `chat.join.limited` | nor adding and removing of participants |
//! | `voip`, `voip.join` | calling only |

use std::fmt;

use kernel::{Error, ErrorKind, Result};

/// One right of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything in chat.
    Chat,
    /// Taking part, without managing threads.
    ChatJoin,
    /// Taking part, without managing threads and participants.
    ChatJoinLimited,
    /// Everything in calling.
    Voip,
    /// Joining calls.
    VoipJoin,
}

const ALL: [Scope; 5] =
    [Scope::Chat, Scope::ChatJoin, Scope::ChatJoinLimited, Scope::Voip, Scope::VoipJoin];

impl Scope {
    /// The name in requests and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatJoin => "chat.join",
            Self::ChatJoinLimited => "chat.join.limited",
            Self::Voip => "voip",
            Self::VoipJoin => "voip.join",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The rights of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// The scopes that a request asks for.
    ///
    /// # Errors
    /// `Invalid` for an unknown name; the refusal lists those that exist.
    pub fn parse<'a>(
        names: impl IntoIterator<Item = &'a str>,
        target: &'static str,
    ) -> Result<Self> {
        let mut scopes = Self::default();
        for name in names {
            let Some(scope) = ALL.into_iter().find(|scope| scope.as_str() == name) else {
                let known = ALL.map(Scope::as_str).join(", ");
                let message =
                    format!("The scope '{}' does not exist; use {known}.", name.escape_debug());
                return Err(
                    Error::new(ErrorKind::Invalid, "ValidationError", message).target(target)
                );
            };
            scopes.0 |= scope.bit();
        }
        Ok(scopes)
    }

    /// The scopes of a token's claim; names that a newer program may have written are passed over.
    pub(crate) fn of_claim(claim: &str) -> Self {
        let known = ALL.into_iter().filter(|scope| claim.split(',').any(|it| it == scope.as_str()));
        Self(known.fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this scope is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether one of these scopes is among them.
    pub fn has_any(self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.has(*scope))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ALL.iter().filter(|scope| self.has(**scope)).map(|scope| scope.as_str());
        for (index, name) in names.enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            out.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written_in_one_order() {
        let scopes = Scopes::parse(["voip", "chat", "chat"], "scopes").unwrap();
        assert_eq!(scopes.to_string(), "chat,voip");
        assert_eq!(Scopes::of_claim("chat,voip"), scopes);
        assert!(scopes.has(Scope::Chat) && !scopes.has(Scope::ChatJoin));
        assert!(!Scopes::of_claim("chat.join.limited").has(Scope::ChatJoin));
        assert!(Scopes::of_claim("").is_empty());
    }

    #[test]
    fn an_unknown_scope_is_named_with_those_that_exist() {
        let error = Scopes::parse(["chat", "Chat"], "scopes").unwrap_err();
        assert!(error.message().contains("'Chat'"), "{error}");
        assert!(error.message().contains("chat.join.limited"), "{error}");
        assert_eq!(error.target_name(), Some("scopes"));
    }
}
