//! Why a connection has ended, in the words of the service's metric `ConnectionCloseCategory`. Pure.

use gateway::Close;

/// What a simple client is told that sends to a group without permission.
pub(super) const NOT_PERMITTED: &str = "The client does not have permission to send to the group.";
/// What a simple client is told whose events nobody takes.
pub(super) const NO_HANDLER: &str =
    "No event handler is configured for this hub, so nobody takes the event 'message'.";
/// What a simple client is told whose event was not taken.
pub(super) const NOT_TAKEN: &str = "The event handler did not take the event 'message'.";

/// The words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The client closed it, or went away.
    Normal,
    /// The client broke the protocol.
    BadRequest,
    /// The client read more slowly than messages came.
    SlowClient,
    /// The client may not do what it did.
    Unauthorized,
    /// The client sent an event that no event handler takes.
    EventHandlerNotFound,
    /// The event handler did not take an event.
    SendEventFailed,
    /// The application closed it.
    ClosedByAppServer,
    /// The client answered no ping.
    PingTimeout,
    /// The server stopped.
    ServiceReload,
    /// A limit was reached.
    Throttled,
    /// A defect of the server.
    ServiceTransientError,
}

impl Ending {
    /// Judges by the close code, which the engine gives to every end, and by our own words where one
    /// code has several reasons.
    pub fn of(close: &Close) -> Self {
        match (close.code, &*close.reason) {
            (1000, _) => Self::ClosedByAppServer,
            (1001, _) => Self::ServiceReload,
            (1002 | 1003 | 1007 | 1009, _) => Self::BadRequest,
            (1008, NOT_PERMITTED) => Self::Unauthorized,
            (1008, reason) if reason.ends_with("which is the limit.") => Self::Throttled,
            (1008, _) => Self::SlowClient,
            (1011, NO_HANDLER) => Self::EventHandlerNotFound,
            (1011, NOT_TAKEN) => Self::SendEventFailed,
            (1006, "it answered no ping") => Self::PingTimeout,
            (1005 | 1006, _) => Self::Normal,
            _ => Self::ServiceTransientError,
        }
    }

    /// As the metric writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::BadRequest => "BadRequest",
            Self::SlowClient => "SlowClient",
            Self::Unauthorized => "Unauthorized",
            Self::EventHandlerNotFound => "EventHandlerNotFound",
            Self::SendEventFailed => "SendEventFailed",
            Self::ClosedByAppServer => "ClosedByAppServer",
            Self::PingTimeout => "PingTimeout",
            Self::ServiceReload => "ServiceReload",
            Self::Throttled => "Throttled",
            Self::ServiceTransientError => "ServiceTransientError",
        }
    }

    /// Whether the service's logs call it expected.
    pub const fn is_expected(self) -> bool {
        matches!(self, Self::Normal | Self::ClosedByAppServer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_category() {
        for (code, reason, expected) in [
            (1005, "", Ending::Normal),
            (1006, "the TCP connection broke", Ending::Normal),
            (1006, "it answered no ping", Ending::PingTimeout),
            (1000, "Closed by REST API.", Ending::ClosedByAppServer),
            (1001, "The server is shutting down.", Ending::ServiceReload),
            (1007, "That is no JSON.", Ending::BadRequest),
            (1008, "The outbound message queue is full.", Ending::SlowClient),
            (1008, "The connection is in 9 groups, which is the limit.", Ending::Throttled),
            (1008, NOT_PERMITTED, Ending::Unauthorized),
            (1011, NO_HANDLER, Ending::EventHandlerNotFound),
            (1011, NOT_TAKEN, Ending::SendEventFailed),
            (1011, "Internal server error.", Ending::ServiceTransientError),
        ] {
            assert_eq!(Ending::of(&Close::new(code, reason)), expected, "{code} {reason}");
        }
        assert!(Ending::Normal.is_expected() && !Ending::SlowClient.is_expected());
    }
}
