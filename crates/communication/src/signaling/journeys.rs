//! What is recorded of notifications: to how many devices they went, and what clients answered.

use kernel::milestone::{Note, Stage};

use super::notice::Notice;
use super::observer::Answer;

const SERVICE: &str = "signaling";

/// Where the receivers of a notification are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    /// Devices that were sent it.
    pub(super) connected: usize,
    /// Devices for which it waits until they come back.
    pub(super) away: usize,
    /// Users without a device that was here within the window.
    pub(super) absent: usize,
}

/// A notification was handed to devices.
pub(super) fn announced(notice: &Notice, reached: Reached) {
    let Some(journey) = notice.journey() else { return };
    let Reached { connected, away, absent } = reached;
    let mut text = format!("{}: sent to {connected} connected devices", notice.kind.name());
    if away > 0 {
        text.push_str(&format!("; {away} devices are away, it waits for them"));
    }
    if absent > 0 {
        text.push_str(&format!("; {absent} users have no device here"));
    }
    journey.note(SERVICE, Note::new(Stage::Announced, text));
}

/// A client has answered a notification.
pub(super) fn answered(notice: &Notice, answer: &Answer) {
    let Some(journey) = notice.journey() else { return };
    let (event, user, status) = (answer.event.name(), &answer.user, answer.status);
    let note = match status {
        200 => Note::new(Stage::Acknowledged, format!("{event}: a device of {user} took it")),
        404 => {
            let text = format!("{event}: a device of {user} does not listen for it (404)");
            Note::new(Stage::Acknowledged, text).failed()
        }
        _ => {
            let text = format!("{event}: a device of {user} answered {status}");
            Note::new(Stage::Acknowledged, text).failed()
        }
    };
    journey.note(SERVICE, note);
}
