//! What may be known about an installation at one moment. Plain values: whoever finds them out is on
//! the other side of a port ([`super::Probes`]).
//!
//! Nothing here is a service's own type: the playbook knows services by what they say. Journeys are
//! the monitor's own.

mod chat;
mod events;
mod journeys;
mod network;
mod push;
mod records;
mod token;

use std::time::Duration;

use kernel::Timestamp;

use crate::journey::Journey;

pub use chat::{Answers, Audience, Lapsed, Membership, Phone, Receiver};
pub use events::{Dead, Handler, Repeated, Subscription};
pub(super) use journeys::{has_word, mentions, stopped_at, stops, symptoms};
pub use network::{Certificate, End, Reach};
pub use push::{Fault, Hub, HubCheck, Link, LinkedHub, Problem, Route};
pub(super) use records::Sign;
pub use records::{Record, Records, Table};
pub use token::{Refusal, RefusalKind, Token};

/// Something that was found out, or why not.
pub type Found<T> = Result<T, Unknown>;

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Why.
    pub why: String,
    /// What would make it known.
    pub cure: String,
}

impl Unknown {
    /// Not known, and what would help.
    pub fn new(why: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { why: why.into(), cure: cure.into() }
    }
}

/// A part of what may be known. A hypothesis names those that it judges by, and nothing else is
/// asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Whether clients reach the server.
    Reach,
    /// What the given token says.
    Token,
    /// Who should have been told of messages, and how they are connected.
    Audience,
    /// Whether the given user is in the given thread.
    Membership,
    /// How clients answer notifications.
    Answers,
    /// The hub that carries the pushes of chat.
    Link,
    /// Notification hubs of this server.
    Hubs,
    /// Pushes of chat that were given up.
    Pushes,
    /// Event subscriptions.
    Subscriptions,
    /// Event handlers that fail.
    Handlers,
    /// Failures in the log tables.
    Records,
    /// What became of notifications, stage by stage.
    Journeys,
}

/// All that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When.
    pub now: Timestamp,
    /// How far back records were read.
    pub window: Duration,
    /// One for each address that was tried.
    pub reach: Found<Vec<Reach>>,
    /// `None` where none was given.
    pub token: Found<Option<Token>>,
    /// Who should have been told.
    pub audience: Found<Audience>,
    /// `None` where no thread was given, or no user.
    pub membership: Found<Option<Membership>>,
    /// One for each kind of notification that was answered.
    pub answers: Found<Vec<Answers>>,
    /// The link of the Communication resource.
    pub link: Found<Link>,
    /// All hubs, or the one that was asked about.
    pub hubs: Found<Vec<Hub>>,
    /// Why pushes of chat were given up.
    pub pushes: Found<Vec<Dead>>,
    /// All event subscriptions, or the one that was asked about.
    pub subscriptions: Found<Vec<Subscription>>,
    /// Event handlers whose last event failed.
    pub handlers: Found<Vec<Handler>>,
    /// Failures of the window; of a journey that was asked about, its own.
    pub records: Found<Records>,
    /// The journey that was asked about; else those of the window that failed or wait, newest first.
    pub journeys: Found<Vec<Journey>>,
}

impl Facts {
    /// Leaves what a journey went by: the event subscriptions, hubs and handlers that it names; where it
    /// names none, such as when every filter passed it over, all.
    pub(super) fn narrow(&mut self, journey: &Journey) {
        fn keep<T>(found: &mut Found<Vec<T>>, is_named: impl Fn(&T) -> bool) {
            if let Ok(all) = found
                && all.iter().any(&is_named)
            {
                all.retain(is_named);
            }
        }
        keep(&mut self.subscriptions, |it| mentions(journey, &it.name));
        keep(&mut self.hubs, |it| mentions(journey, &it.name));
        keep(&mut self.handlers, |it| mentions(journey, &it.hub));
    }

    /// Nothing is known.
    pub fn unasked(now: Timestamp, window: Duration) -> Self {
        fn unasked<T>() -> Found<T> {
            Err(Unknown::new("It was not looked at.", "Ask without a symptom."))
        }
        Self {
            now,
            window,
            reach: unasked(),
            token: unasked(),
            audience: unasked(),
            membership: unasked(),
            answers: unasked(),
            link: unasked(),
            hubs: unasked(),
            pushes: unasked(),
            subscriptions: unasked(),
            handlers: unasked(),
            records: unasked(),
            journeys: unasked(),
        }
    }
}
