//! What is recorded of pushes: who needs one, and what the hub said.

use delivery::Verdict;
use kernel::journey;
use kernel::milestone::{Note, Outcome, Stage};

const SERVICE: &str = "push";

/// No hub is linked, which whoever registers devices rarely means.
pub(super) fn not_linked() {
    journey::note(SERVICE, || {
        Note::new(
            Stage::Dropped,
            "no notification hub is linked: devices are kept, nothing is sent",
        )
    });
}

/// Of these users, so many devices need a push.
pub(super) fn matched(users: usize, devices: usize) {
    journey::note(SERVICE, || match devices {
        0 => {
            let text = format!("of {users} users nobody is away with a registered device");
            Note::new(Stage::Dropped, text)
        }
        devices => {
            Note::new(Stage::Matched, format!("{devices} registered devices of {users} users"))
        }
    });
}

/// The device was unregistered before its push.
pub(super) fn unregistered() {
    journey::note(SERVICE, || Note::new(Stage::Dropped, "the device is not registered any more"));
}

/// What came of a send through the hub, for the device with this registration.
pub(super) fn answered(platform: &str, device: &str, verdict: &Verdict) {
    journey::note(SERVICE, || {
        let whom = format!("for {platform}, device {device}");
        let (text, result) = match verdict {
            Verdict::Delivered => (whom, Outcome::Done),
            Verdict::Retry { outcome, answer, .. } => {
                (format!("{whom}: {outcome}: {answer}"), Outcome::Again)
            }
            Verdict::Refused { outcome, answer } => {
                (format!("{whom}: {outcome}: {answer}"), Outcome::Failed)
            }
        };
        Note::new(Stage::HubAccepted, text).outcome(result)
    });
}
