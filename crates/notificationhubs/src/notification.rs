//! A notification that was sent through a hub: its id and how far it is.

use std::fmt::Write as _;

use kernel::Timestamp;

use crate::date;

/// How far a notification is, in the service's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Accepted, not begun.
    Enqueued,
    /// Devices are being tried.
    Processing,
    /// Every device is settled.
    Completed,
    /// Given up after the delivery window.
    Abandoned,
    /// Nobody was meant.
    NoTargetFound,
    /// Waits for its time.
    Scheduled,
    /// Taken back before its time. The Java client knows this spelling only.
    Canceled,
    /// Nothing is known.
    Unknown,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Enqueued,
        Self::Processing,
        Self::Completed,
        Self::Abandoned,
        Self::NoTargetFound,
        Self::Scheduled,
        Self::Canceled,
        Self::Unknown,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueued => "Enqueued",
            Self::Processing => "Processing",
            Self::Completed => "Completed",
            Self::Abandoned => "Abandoned",
            Self::NoTargetFound => "NoTargetFound",
            Self::Scheduled => "Scheduled",
            Self::Canceled => "Canceled",
            Self::Unknown => "Unknown",
        }
    }

    /// The state of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing happens to the notification any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Abandoned | Self::NoTargetFound | Self::Canceled)
    }
}

/// A new id of a notification: 32 random hexadecimal digits, the time and two numbers, the form that
/// the service gives.
pub fn new_notification_id(now: Timestamp) -> String {
    let mut random = [0_u8; 18];
    aws_lc_rs::rand::fill(&mut random).expect("the system's random source answers");
    let mut id = String::with_capacity(64);
    for byte in &random[..16] {
        write!(id, "{byte:02x}").expect("a string takes everything");
    }
    let time: String =
        date::with_millis(now).chars().filter(char::is_ascii_digit).take(14).collect();
    write!(id, "-{time}-{}-{}", random[16] % 100, random[17] % 100).expect("a string");
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_services_form_and_is_new() {
        let id = new_notification_id(Timestamp::from_secs(1_714_558_800));
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!((parts.len(), parts[0].len(), parts[1]), (4, 32, "20240501102000"));
        assert_ne!(id, new_notification_id(Timestamp::from_secs(1_714_558_800)));
    }

    #[test]
    fn every_state_has_its_word() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.as_str()), Some(state));
        }
    }
}
