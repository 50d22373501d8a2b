//! Events from a connection to the application's event handler, and their answers.

use std::fmt;
use std::sync::Arc;

use gateway::{Close, Effect, Raised};
use kernel::Timestamp;

use crate::message::{Data, Sent};
use crate::metadata::Metadata;

/// Unanswered events above which nothing more is read from the client, and below which it is again.
const PAUSE_ABOVE: usize = 64;
const RESUME_BELOW: usize = 32;

/// Takes a connection's events out of the engine, in order. Must neither block nor take long.
pub trait EventSink: Send + Sync {
    /// The client has connected.
    fn connected(&self);
    /// The client is gone for good.
    fn disconnected(&self, reason: &str);
    /// The client sent an event; it is answered by [`super::Instruction::EventAnswered`].
    fn user(&self, event: UserEvent);
}

/// An event that a client sent.
#[derive(Debug)]
pub struct UserEvent {
    /// Its name.
    pub name: Box<str>,
    /// What it carries.
    pub data: Data,
    /// What travels along.
    pub metadata: Metadata,
    /// What the client waits for.
    pub reply: Reply,
}

/// What a client waits for after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The ack of this id, or nothing without one.
    Ack(Option<u64>),
    /// Nothing, but a failure ends the connection (simple clients).
    Silence,
}

/// Is told when a client comes and goes, and what it sends, besides the event handlers. Must neither block nor take
/// long.
pub trait Presence: Send + Sync {
    /// The client has connected.
    fn came(&self);
    /// The client is gone for good.
    fn went(&self, close: &Close);
    /// Whether it wants to know of a message that the client sends now. Asked for each.
    fn follows(&self, now: Timestamp) -> bool;
    /// The client has sent a message.
    fn sent(&self, sent: &Sent);
}

/// The events of one connection, as its session raises them.
pub struct EventSource {
    /// `None` where nobody listens to the hub's events.
    sink: Option<Arc<dyn EventSink>>,
    /// `None` where nobody wants to know of clients.
    presence: Option<Arc<dyn Presence>>,
    unanswered: usize,
    paused: bool,
}

impl EventSource {
    /// Events go to `sink`, if there is one.
    pub fn new(sink: Option<Arc<dyn EventSink>>) -> Self {
        Self { sink, presence: None, unanswered: 0, paused: false }
    }

    /// The same, and `presence` is told when the client comes and goes.
    #[must_use]
    pub fn seen_by(self, presence: Option<Arc<dyn Presence>>) -> Self {
        Self { presence, ..self }
    }

    /// The connection is open.
    pub(super) fn opened(&self, effects: &mut Vec<Effect>) {
        self.push(What::Connected, effects);
        self.sight(None, effects);
    }

    /// The connection is gone.
    pub(super) fn ended(&self, close: &Close, effects: &mut Vec<Effect>) {
        self.push(What::Disconnected(close.reason.clone()), effects);
        self.sight(Some(close), effects);
    }

    /// The client has sent a message; told to whoever wants to know.
    pub(super) fn sent(
        &self,
        now: Timestamp,
        effects: &mut Vec<Effect>,
        sent: impl FnOnce() -> Sent,
    ) {
        if let Some(presence) = self.presence.as_ref().filter(|it| it.follows(now)) {
            let (presence, sent) = (Arc::clone(presence), sent());
            effects.push(Effect::Raise(Box::new(Sending { presence, sent })));
        }
    }

    /// An event as those are told of it who want to know.
    pub(super) fn sent_event(&self, name: &str, bytes: usize) -> Sent {
        let nobody = || "no event handler takes the events of this hub".to_owned();
        let refused = self.sink.is_none().then(nobody);
        Sent { to_group: false, name: name.into(), bytes, refused }
    }

    /// Raises a client's event; `false` when nobody listens. Reading pauses when many wait.
    pub(super) fn raise(&mut self, event: UserEvent, effects: &mut Vec<Effect>) -> bool {
        if !self.push(What::User(event), effects) {
            return false;
        }
        self.unanswered += 1;
        if self.unanswered > PAUSE_ABOVE && !self.paused {
            self.paused = true;
            effects.push(Effect::Pause);
        }
        true
    }

    /// An event has been answered.
    pub(super) fn answered(&mut self, effects: &mut Vec<Effect>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered < RESUME_BELOW && self.paused {
            self.paused = false;
            effects.push(Effect::Resume);
        }
    }

    fn sight(&self, gone: Option<&Close>, effects: &mut Vec<Effect>) {
        if let Some(presence) = &self.presence {
            let (presence, gone) = (Arc::clone(presence), gone.cloned());
            effects.push(Effect::Raise(Box::new(Sighting { presence, gone })));
        }
    }

    fn push(&self, what: What, effects: &mut Vec<Effect>) -> bool {
        let Some(sink) = &self.sink else { return false };
        effects.push(Effect::Raise(Box::new(Raising { sink: Arc::clone(sink), what })));
        true
    }
}

enum What {
    Connected,
    Disconnected(Box<str>),
    User(UserEvent),
}

struct Raising {
    sink: Arc<dyn EventSink>,
    what: What,
}

impl Raised for Raising {
    fn raise(self: Box<Self>) {
        match self.what {
            What::Connected => self.sink.connected(),
            What::Disconnected(reason) => self.sink.disconnected(&reason),
            What::User(event) => self.sink.user(event),
        }
    }
}

impl fmt::Debug for Raising {
    /// Shows nothing of the event: payloads are never logged.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Raising")
    }
}

struct Sighting {
    presence: Arc<dyn Presence>,
    gone: Option<Close>,
}

impl Raised for Sighting {
    fn raise(self: Box<Self>) {
        match &self.gone {
            None => self.presence.came(),
            Some(close) => self.presence.went(close),
        }
    }
}

impl fmt::Debug for Sighting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sighting")
    }
}

struct Sending {
    presence: Arc<dyn Presence>,
    sent: Sent,
}

impl Raised for Sending {
    fn raise(self: Box<Self>) {
        self.presence.sent(&self.sent);
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sending")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Presence for Log {
        fn came(&self) {
            self.0.lock().unwrap().push("came".to_owned());
        }

        fn went(&self, close: &Close) {
            self.0.lock().unwrap().push(close.reason.to_string());
        }

        fn follows(&self, now: Timestamp) -> bool {
            now > Timestamp::default()
        }

        fn sent(&self, sent: &Sent) {
            self.0.lock().unwrap().push(format!("{} {}", sent.name, sent.bytes));
        }
    }

    #[test]
    fn presence_is_told_where_nobody_listens_to_events_and_takes_none() {
        let log = Arc::new(Log::default());
        let presence = Arc::clone(&log) as Arc<dyn Presence>;
        let mut events = EventSource::new(None).seen_by(Some(presence));
        let mut effects = Vec::new();
        events.opened(&mut effects);
        let event = UserEvent {
            name: "order".into(),
            data: Data::Text("1".into()),
            metadata: Metadata::default(),
            reply: Reply::Silence,
        };
        let sent = || Sent { to_group: false, name: "order".into(), bytes: 1, refused: None };
        events.sent(Timestamp::default(), &mut effects, || panic!("nobody follows now"));
        events.sent(Timestamp::from_secs(1), &mut effects, sent);
        assert!(!events.raise(event, &mut effects), "nobody listens to the client's events");
        events.ended(&Close::new(1000, "bye"), &mut effects);
        for effect in effects {
            let Effect::Raise(raised) = effect else { panic!("only raised things") };
            raised.raise();
        }
        assert_eq!(*log.0.lock().unwrap(), ["came", "order 1", "bye"]);
    }
}
