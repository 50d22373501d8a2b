//! Dead letters into their folder, for event subscriptions that want it.
//!
//! One file for each, under a path by topic, event subscription and hour, as Azure names its blobs.
//! A file appears whole or not at all, and burying the same letter again replaces its file. The
//! store keeps the dead letter as well, whatever becomes of the file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use delivery::{DeadLetter, Reason};

use crate::dead_letter::{self, Ending};
use crate::event::Event;
use crate::outcome::Outcome;
use crate::service::EventGrid;

/// Writes the file of a dead letter, if its event subscription wants one.
pub(super) async fn bury(service: &EventGrid, letter: &DeadLetter) -> Result<(), String> {
    let snapshot = service.snapshot();
    let Some(root) = &service.settings().dead_letter_folder else { return Ok(()) };
    if snapshot.unreadable(&letter.target).is_some() {
        return Err("the stored event subscription, or its topic, cannot be read".to_owned());
    }
    let Some(entry) = snapshot.by_key(&letter.target) else { return Ok(()) };
    let properties = &entry.subscription.properties;
    let Some(destination) = &properties.dead_letter else { return Ok(()) };

    let payload = Bytes::from(letter.payload.clone());
    let event = Event::restore(&payload).map_err(|damage| damage.to_string())?;
    let record = dead_letter::record(&event, properties.delivery_schema, &ending(letter));
    let place = dead_letter::path(
        entry.source.name(),
        &entry.subscription.name,
        letter.died_at,
        &letter.id.to_string(),
    );
    let path = root.join(destination.folder()).join(place);
    let content = dead_letter::file(&[record]);
    let written = tokio::task::spawn_blocking(move || write(&path, &content)).await;
    let written = written.unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
    written.map_err(|cause| format!("the dead letter folder cannot be written: {cause}"))
}

fn ending(letter: &DeadLetter) -> Ending {
    let last_outcome = letter.last_outcome.as_deref();
    Ending {
        reason: match letter.reason {
            Reason::AttemptsExhausted => dead_letter::Reason::MaxDeliveryAttemptsExceeded,
            Reason::Expired => dead_letter::Reason::TimeToLiveExceeded,
            Reason::Refused => dead_letter::Reason::UndeliverableDueToClientError,
        },
        attempts: letter.attempts,
        last_outcome: last_outcome.and_then(Outcome::named).unwrap_or(Outcome::GenericError),
        last_attempt: letter.last_attempt_at,
    }
}

/// Whole or not at all: written under another name first, then renamed.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let draft: PathBuf = path.with_extension("json.new");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}
