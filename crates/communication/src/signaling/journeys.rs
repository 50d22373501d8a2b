//! What is recorded of notifications: to how many devices they went, or at which a call rings, and what
//! clients answered.

use kernel::milestone::{Note, Stage};

use super::body::EventKind;
use super::notice::Notice;
use super::observer::Answer;
use crate::identifier::RawId;

const SERVICE: &str = "signaling";
/// Devices of a user that are named.
const NAMED: usize = 8;

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

/// The devices of a user were told that a call rings or has ended; `connected` are their names.
pub(super) fn rung(notice: &Notice, user: &RawId, connected: &[&str], away: usize) {
    let Some(journey) = notice.journey() else { return };
    let kind = notice.kind.name();
    let mut text = match connected {
        [] => format!("{kind}: no device of {user} is connected"),
        names => {
            let named = names[..names.len().min(NAMED)].join(", ");
            format!("{kind}: sent to {} connected devices of {user}: {named}", names.len())
        }
    };
    if away > 0 {
        text.push_str(&format!("; {away} are away"));
    }
    journey.note(SERVICE, Note::new(Stage::Announced, text));
}

/// A device has come while a call rings.
pub(super) fn rung_late(notice: &Notice, user: &RawId, device: &str) {
    let Some(journey) = notice.journey() else { return };
    let kind = notice.kind.name();
    let text = format!("{kind}: for {device}, a device of {user} that has come since");
    journey.note(SERVICE, Note::new(Stage::Announced, text));
}

/// A client has answered a notification.
pub(super) fn answered(notice: &Notice, answer: &Answer) {
    let Some(journey) = notice.journey() else { return };
    let (event, user, status) = (answer.event.name(), &answer.user, answer.status);
    let is_call = matches!(answer.event, EventKind::IncomingCall | EventKind::CallEnded);
    let device = match is_call {
        true => format!("{}, a device of {user},", answer.device),
        false => format!("a device of {user}"),
    };
    let note = match status {
        200 => Note::new(Stage::Acknowledged, format!("{event}: {device} took it")),
        // Chat clients are told of calls, too, and take none.
        404 if is_call => {
            Note::new(Stage::Dropped, format!("{event}: {device} takes no calls (404)"))
        }
        404 => {
            let text = format!("{event}: {device} does not listen for it (404)");
            Note::new(Stage::Acknowledged, text).failed()
        }
        _ => {
            let text = format!("{event}: {device} answered {status}");
            Note::new(Stage::Acknowledged, text).failed()
        }
    };
    journey.note(SERVICE, note);
}
