//! What became of one attempt.
//!
//! The names are those of Notification Hubs: they stand in message telemetry and in the feedback of
//! push services. Which answer has which name is decided in `answer.rs` of each platform; what a name
//! means for the handle and for a retry is decided here, once.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::RETRY_AFTER;
use kernel::Timestamp;

/// The name of an outcome. The numbers are those of the .NET SDK's `PnsError`; success has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OutcomeName {
    /// The push service took it.
    Success = 0,
    /// Our key, account or project is refused.
    InvalidCredentials = 1,
    /// No connection, or it broke before the answer.
    PnsUnreachable = 2,
    /// An answer that cannot be interpreted.
    PnsInterfaceError = 3,
    /// The handle is malformed or was never valid here.
    BadChannel = 4,
    /// The handle was valid once.
    ExpiredChannel = 5,
    /// The push service failed.
    PnsServerError = 6,
    /// The push service says that it is not available now.
    PnsUnavailable = 7,
    /// We send too much.
    Throttled = 8,
    /// The service that issues access tokens answered nonsense.
    TokenProviderInterfaceError = 9,
    /// The service that issues access tokens cannot be reached.
    TokenProviderUnreachable = 10,
    /// Our access token is refused; a fresh one may do.
    InvalidToken = 11,
    /// The handle belongs to another app, topic or project than the credential.
    WrongToken = 12,
    /// The payload or a header is refused.
    InvalidNotificationFormat = 13,
    /// The payload is too large.
    InvalidNotificationSize = 14,
    /// Too much to this one device.
    ChannelThrottled = 15,
    /// The device is offline and nothing is stored for it.
    ChannelDisconnected = 16,
    /// The push service discarded it.
    Dropped = 17,
    /// The handle belongs to another app.
    WrongChannel = 18,
    /// Delivered, and the handle has a newer value.
    RefreshToken = 19,
    /// The time for retries is used up.
    AbandonedNotificationMessages = 96,
    /// Nobody matched.
    NoTargets = 97,
    /// Not attempted.
    Skipped = 98,
    /// None of the others.
    UnknownError = 99,
}

impl OutcomeName {
    /// Every name, in the order of their numbers.
    pub const ALL: [Self; 24] = [
        Self::Success,
        Self::InvalidCredentials,
        Self::PnsUnreachable,
        Self::PnsInterfaceError,
        Self::BadChannel,
        Self::ExpiredChannel,
        Self::PnsServerError,
        Self::PnsUnavailable,
        Self::Throttled,
        Self::TokenProviderInterfaceError,
        Self::TokenProviderUnreachable,
        Self::InvalidToken,
        Self::WrongToken,
        Self::InvalidNotificationFormat,
        Self::InvalidNotificationSize,
        Self::ChannelThrottled,
        Self::ChannelDisconnected,
        Self::Dropped,
        Self::WrongChannel,
        Self::RefreshToken,
        Self::AbandonedNotificationMessages,
        Self::NoTargets,
        Self::Skipped,
        Self::UnknownError,
    ];

    /// Its place in [`Self::ALL`]; the numbers have a gap before 96.
    pub(crate) const fn index(self) -> usize {
        let number = self as usize;
        if number < 96 { number } else { number - 76 }
    }

    /// As it stands in telemetry, feedback and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::InvalidCredentials => "InvalidCredentials",
            Self::PnsUnreachable => "PnsUnreachable",
            Self::PnsInterfaceError => "PnsInterfaceError",
            Self::BadChannel => "BadChannel",
            Self::ExpiredChannel => "ExpiredChannel",
            Self::PnsServerError => "PnsServerError",
            Self::PnsUnavailable => "PnsUnavailable",
            Self::Throttled => "Throttled",
            Self::TokenProviderInterfaceError => "TokenProviderInterfaceError",
            Self::TokenProviderUnreachable => "TokenProviderUnreachable",
            Self::InvalidToken => "InvalidToken",
            Self::WrongToken => "WrongToken",
            Self::InvalidNotificationFormat => "InvalidNotificationFormat",
            Self::InvalidNotificationSize => "InvalidNotificationSize",
            Self::ChannelThrottled => "ChannelThrottled",
            Self::ChannelDisconnected => "ChannelDisconnected",
            Self::Dropped => "Dropped",
            Self::WrongChannel => "WrongChannel",
            Self::RefreshToken => "RefreshToken",
            Self::AbandonedNotificationMessages => "AbandonedNotificationMessages",
            Self::NoTargets => "NoTargets",
            Self::Skipped => "Skipped",
            Self::UnknownError => "UnknownError",
        }
    }

    /// What it means for what happens next.
    pub fn class(self) -> Class {
        match self {
            Self::Success | Self::RefreshToken => Class::Accepted,
            Self::BadChannel | Self::ExpiredChannel => Class::HandleDead,
            Self::Throttled | Self::ChannelThrottled => Class::Throttled,
            Self::InvalidCredentials | Self::InvalidToken => Class::CredentialRefused,
            Self::WrongToken | Self::WrongChannel => Class::Mismatch,
            Self::InvalidNotificationFormat | Self::InvalidNotificationSize => {
                Class::PayloadRefused
            }
            Self::PnsUnreachable
            | Self::PnsServerError
            | Self::PnsUnavailable
            | Self::TokenProviderInterfaceError
            | Self::TokenProviderUnreachable => Class::Temporary,
            Self::PnsInterfaceError
            | Self::ChannelDisconnected
            | Self::Dropped
            | Self::AbandonedNotificationMessages
            | Self::NoTargets
            | Self::Skipped
            | Self::UnknownError => Class::Final,
        }
    }
}

/// What an outcome means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Done.
    Accepted,
    /// The handle reaches nobody; [`crate::push::Breaker`] says whether it may be removed.
    HandleDead,
    /// Try again, not before [`Outcome::retry_after`].
    Throttled,
    /// Every handle of this credential would fail; the operator has to act.
    CredentialRefused,
    /// Handle and credential do not belong together; neither is known to be dead.
    Mismatch,
    /// The message itself would fail everywhere.
    PayloadRefused,
    /// Try again.
    Temporary,
    /// Not delivered, and nothing more to do.
    Final,
}

impl Class {
    /// Whether another attempt may end better.
    pub fn is_worth_retrying(self) -> bool {
        matches!(self, Self::Throttled | Self::Temporary)
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: OutcomeName,
    /// The id that the push service gave the message.
    pub id: Option<Box<str>>,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The service's own word, as it sent it; at most 200 characters. Empty when it had none.
    pub reason: Cow<'static, str>,
    /// For the operator: what was wrong and what cures it. Empty on success.
    pub explanation: Cow<'static, str>,
    /// The handle was known dead at this time; one that was registered since may live.
    pub dead_since: Option<Timestamp>,
    /// Not before this time has passed.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// The push service took the message and gave it this id.
    pub fn accepted(status: u16, id: Option<&str>) -> Self {
        Self { id: id.map(Into::into), status: Some(status), ..Self::of(OutcomeName::Success, "") }
    }

    /// An outcome with what the operator should know.
    pub fn of(name: OutcomeName, explanation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            id: None,
            status: None,
            reason: Cow::Borrowed(""),
            explanation: explanation.into(),
            dead_since: None,
            retry_after: None,
        }
    }

    /// Adds what the service answered.
    #[must_use]
    pub fn answered(mut self, status: u16, reason: &str) -> Self {
        self.status = Some(status);
        self.reason = reason.chars().take(200).collect::<String>().into();
        self
    }

    /// Adds when to come back.
    #[must_use]
    pub fn retry_after(mut self, delay: Option<Duration>) -> Self {
        self.retry_after = delay;
        self
    }

    /// What it means for what happens next.
    pub fn class(&self) -> Class {
        self.name.class()
    }
}

/// The delay of a `Retry-After` header: seconds, or a date (RFC 9110 section 10.2.3). Never more
/// than a day: what a service says must not park a message for ever.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => http_date(text)?.since(now),
    };
    Some(delay.min(Duration::from_secs(24 * 60 * 60)))
}

/// How far our clock is ahead of the one that dated an answer (negative when behind), in seconds.
pub fn clock_skew(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = http_date(headers.get(axum::http::header::DATE)?.to_str().ok()?)?;
    Some(now.as_secs() - date.as_secs())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let broken = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_secs(broken.as_second()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(name.parse().unwrap(), HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date_and_has_an_end() {
        let now = Timestamp::from_secs(1_700_000_000); // Tue, 14 Nov 2023 22:13:20 GMT
        for (text, seconds) in [
            ("120", Some(120)),
            ("Tue, 14 Nov 2023 22:14:20 GMT", Some(60)),
            ("Tue, 14 Nov 2023 22:12:20 GMT", Some(0)),
            ("99999999999", Some(86_400)),
            ("soon", None),
            ("-3", None),
        ] {
            let delay = retry_after(&headers("retry-after", text), now);
            assert_eq!(delay, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_skew_of_clocks_has_a_sign() {
        let date = headers("date", "Tue, 14 Nov 2023 22:13:20 GMT");
        let skew = |secs| clock_skew(&date, Timestamp::from_secs(secs)).unwrap();
        assert_eq!((skew(1_700_000_090), skew(1_699_999_990)), (90, -10));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let outcome = Outcome::of(OutcomeName::UnknownError, "").answered(400, &"ü".repeat(300));
        assert_eq!(outcome.reason.chars().count(), 200);
    }
}
