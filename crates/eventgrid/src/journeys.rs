//! What is recorded of events: which event subscriptions wanted them, and what webhooks answered.

use std::time::Duration;

use axum::http::Uri;
use delivery::{Item, Verdict};
use kernel::milestone::{Note, Outcome, Stage};
use kernel::{Journey, journey};

use crate::event::Event;
use crate::registry::TopicEntry;

const SERVICE: &str = "eventgrid";
/// Events of a publication that are told one by one; of the others only how many there are.
const TOLD_SINGLY: usize = 8;

/// Which event subscriptions want the events of a publication. Nothing, unless it is recorded.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    singly: Vec<Match>,
    /// Those that are not told one by one.
    others: usize,
}

#[derive(Debug)]
struct Match {
    id: String,
    event_type: String,
    wanted_by: Vec<String>,
    of: usize,
}

impl Matches {
    /// Notes one event: who of so many event subscriptions wants it.
    pub(crate) fn add<'a>(
        &mut self,
        event: &Event,
        wanted_by: impl Iterator<Item = &'a str>,
        of: usize,
    ) {
        if Journey::recorded().is_none() {
            return;
        }
        if self.singly.len() == TOLD_SINGLY {
            self.others += 1;
            return;
        }
        let (id, event_type) = (event.id().to_owned(), event.event_type().to_owned());
        let wanted_by = wanted_by.map(str::to_owned).collect();
        self.singly.push(Match { id, event_type, wanted_by, of });
    }

    /// Tells what was found, once it is certain.
    pub(crate) fn tell(&self) {
        for Match { id, event_type, wanted_by, of } in &self.singly {
            journey::note(SERVICE, || {
                let note = match (wanted_by.as_slice(), of) {
                    ([], 0) => {
                        let text = format!("{event_type}: the topic has no event subscription");
                        Note::new(Stage::Dropped, text)
                    }
                    ([], of) => {
                        let text = format!("{event_type}: filtered out by all {of} subscriptions");
                        Note::new(Stage::Dropped, text)
                    }
                    (names, of) => {
                        let (count, names) = (names.len(), names.join(", "));
                        let text = format!("{event_type}: wanted by {count} of {of}: {names}");
                        Note::new(Stage::Matched, text)
                    }
                };
                note.subject("event", id)
            });
        }
        if self.others > 0 {
            let text = || format!("{} more events of the same request", self.others);
            journey::note(SERVICE, || Note::new(Stage::Matched, text()));
        }
    }
}

/// A publication was taken.
pub(crate) fn accepted(entry: &TopicEntry, bytes: usize) {
    journey::note(SERVICE, || {
        let name = entry.topic.id.name();
        Note::new(Stage::Accepted, format!("{bytes} bytes of events for the topic '{name}'"))
    });
}

/// A webhook has answered, or has not.
pub(crate) fn answered(items: &[Item], subscription: &str, url: &Uri, attempt: &Attempt<'_>) {
    // Of the URL only the place: codes that open it are in its path and query.
    let place = url.authority().map_or("", |it| it.host());
    for journey in items.iter().filter_map(Item::journey) {
        let Attempt { verdict, said, took } = *attempt;
        let outcome = match verdict {
            Verdict::Delivered => Outcome::Done,
            Verdict::Retry { .. } => Outcome::Again,
            Verdict::Refused { .. } => Outcome::Failed,
        };
        let text = format!("event subscription '{subscription}' at {place}: {said}");
        journey.note(SERVICE, Note::new(Stage::WebhookAnswered, text).outcome(outcome).took(took));
    }
}

/// One attempt at a webhook.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// What follows from it.
    pub(crate) verdict: &'a Verdict,
    /// What the webhook said.
    pub(crate) said: &'a str,
    /// How long it took.
    pub(crate) took: Duration,
}
