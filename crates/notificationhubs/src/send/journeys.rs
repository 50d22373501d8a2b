//! What is recorded of sends: their ids, and what push services said, counted.

use kernel::journey;
use kernel::milestone::{Note, Outcome, Stage};

use super::page::Sent;
use super::settle::Settled;
use crate::push::outcome::Class;

const SERVICE: &str = "notificationhubs";

/// A send is on disk.
pub(super) fn accepted(hub: &str, id: &str, format: &str, is_scheduled: bool) {
    journey::note(SERVICE, || {
        let when = if is_scheduled { ", for later" } else { "" };
        let text = format!("a {format} notification for the hub '{hub}'{when}");
        Note::new(Stage::Stored, text).subject("notification", id)
    });
}

/// Push services have answered for a page of devices.
pub(super) fn answered(sent: &[Sent], settled: &Settled) {
    journey::note(SERVICE, || {
        let refused = sent.iter().filter(|it| it.outcome.class() != Class::Accepted);
        let (failed, taken) = (refused.clone().count(), sent.len() - refused.clone().count());
        if sent.is_empty() {
            return Note::new(Stage::PushServiceAnswered, "no device is registered for it")
                .failed();
        }
        let mut text = format!("{taken} of {} devices taken", sent.len());
        // One reason says most: what fails for many mostly fails for the same reason.
        if let Some(it) = refused.clone().next() {
            let (platform, outcome) = (it.recipient.handle.platform().format(), &it.outcome);
            let (name, reason) = (outcome.name.as_str(), &outcome.reason);
            let explanation = &outcome.explanation;
            let words = format!("{platform}: {name} {reason} {explanation}");
            text.push_str(&format!("; {failed} not, the first by {}", words.trim()));
        }
        let outcome = match (settled.left.is_empty(), failed) {
            (_, 0) => Outcome::Done,
            (true, _) => Outcome::Failed,
            (false, _) => Outcome::Again,
        };
        Note::new(Stage::PushServiceAnswered, text).outcome(outcome)
    });
}
