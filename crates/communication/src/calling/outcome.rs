//! How ringing ends.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why. The codes are those of SIP; the sub-codes of the real service are not published, so there are
/// none but 0, and the message says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Unanswered {
    /// Rejected without a reason.
    Declined,
    Busy,
    Forbidden,
    /// Nobody answered in time.
    NoAnswer,
    /// There is no such user.
    Unknown,
    /// The caller gave up.
    Cancelled,
}

impl Unanswered {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Declined => 603,
            Self::Busy => 486,
            Self::Forbidden => 403,
            Self::NoAnswer => 408,
            Self::Unknown => 404,
            Self::Cancelled => 487,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Declined => "The user has declined the call.",
            Self::Busy => "The user is busy.",
            Self::Forbidden => "The user does not take this call.",
            Self::NoAnswer => "Nobody answered within the time of ringing.",
            Self::Unknown => "There is no such user in this resource.",
            Self::Cancelled => "The call was cancelled before it was answered.",
        }
    }

    /// Whether the user has missed a call by it.
    pub(crate) const fn is_missed(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Cancelled)
    }

    pub(crate) fn result(self) -> Value {
        result(self.code(), self.message())
    }
}

/// Why a ringing is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The user has taken the call.
    Answered,
    Unanswered(Unanswered),
    /// Somebody else is rung instead.
    Redirected,
    /// The user was removed from the call.
    Removed,
    /// The call has ended, or its caller gave up.
    CallEnded,
}

impl Silence {
    /// Whether the user has missed a call by it.
    pub(crate) const fn is_missed(self) -> bool {
        match self {
            Self::Answered | Self::Redirected => false,
            Self::Unanswered(why) => why.is_missed(),
            Self::Removed | Self::CallEnded => true,
        }
    }

    /// Whether nobody wanted it so.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Unanswered(Unanswered::NoAnswer | Unanswered::Unknown))
    }

    /// In a few words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered(Unanswered::Declined) => "declined",
            Self::Unanswered(Unanswered::Busy) => "busy",
            Self::Unanswered(Unanswered::Forbidden) => "refused",
            Self::Unanswered(Unanswered::NoAnswer) => "nobody answered in time",
            Self::Unanswered(Unanswered::Unknown) => "there is no such user",
            Self::Unanswered(Unanswered::Cancelled) => "taken back",
            Self::Redirected => "redirected",
            Self::Removed => "removed",
            Self::CallEnded => "the call is over",
        }
    }
}

/// `resultInformation`
pub(crate) fn result(code: u16, message: &str) -> Value {
    json!({ "code": code, "subCode": 0, "message": message })
}
