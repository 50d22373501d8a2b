//! What a given token says, and whether it holds.

use kernel::Timestamp;

/// A token, decoded. What it claims is not secret; the token itself is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// What it opens, as far as its claims tell: `chat` and calls, or a hub.
    pub opens: &'static str,
    /// Its user.
    pub user: Option<String>,
    /// Scopes of a user of the Communication Services; roles of a client of a hub.
    pub scopes: Vec<String>,
    /// When it was issued.
    pub issued: Option<Timestamp>,
    /// When it begins to hold.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The hub in its audience.
    pub hub: Option<String>,
    /// Why this server refuses it now.
    pub refusal: Option<Refusal>,
}

impl Token {
    /// Whether it is one of a user of the Communication Services.
    pub(crate) fn is_of_chat(&self) -> bool {
        self.opens == Self::CHAT
    }

    /// What the tokens of users of the Communication Services open.
    pub const CHAT: &str = "chat and calls";
    /// What the tokens of clients of hubs open.
    pub const HUB: &str = "a hub";
    /// What nobody here opens with it.
    pub const NOTHING: &str = "nothing of this server";
}

/// Why a token does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class of it.
    pub kind: RefusalKind,
    /// The sentence that its bearer is told.
    pub text: String,
}

/// Classes of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// It is no token, or of nobody known.
    Malformed,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for another resource, hub, or address.
    Elsewhere,
    /// It was revoked, or its user is gone.
    Revoked,
    /// The key that it was made with is not in force.
    KeyReplaced,
}
