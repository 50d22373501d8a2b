//! The terminal client without its terminal, socket and clock: what happens, and what is done then.
//!
//! A message stays pending until the service acknowledges it. After a recovery pending messages are
//! sent again under their own ack ids, which the service does not execute twice; a connection that
//! could not be recovered is replaced by a new one, and pending messages are given up and counted.

mod vocabulary;

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Timestamp;
use webpubsub::message::Data;
use webpubsub::metadata::Metadata;
use webpubsub::protocol::{AckError, ClientMessage, ServerMessage};

use super::lines::Line;
pub use vocabulary::{Dial, Effect, Input, Note, Settings};

/// How long a lost connection can be recovered (client specification).
const RECOVERY: Duration = Duration::from_secs(30);
/// How long a new connection is tried for after that.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between attempts, and how long a connection must hold to count as one.
const PAUSE: Duration = Duration::from_secs(1);
/// After this silence the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(45);
/// How long the closing handshake may take.
const CLOSING: Duration = Duration::from_secs(5);
/// Messages that may be pending before input waits.
const MOST_PENDING: usize = 256;
/// Unacknowledged arrivals at which the service is told at once, as the official clients do.
const SEQUENCE_GAP: u64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialing,
    Pausing(Timestamp),
    Open,
    Closing(Timestamp),
    Over,
}

/// The state of the client.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    groups: Vec<String>,
    target: Option<String>,
    /// The id and the token of the connection that could be recovered.
    recoverable: Option<(String, String)>,
    /// What the present dial, or the young connection, tries to do.
    recovering: bool,
    /// When the connection was lost that is not certainly back yet.
    lost: Option<Timestamp>,
    opened: Timestamp,
    heard: Timestamp,
    asked: bool,
    pending: BTreeMap<u64, ClientMessage<'static>>,
    last_ack_id: u64,
    sequence: u64,
    told_sequence: u64,
    input_ended: bool,
    sent: usize,
    failed: usize,
}

impl Session {
    /// A client that dials at once.
    pub fn new(settings: Settings, now: Timestamp, effects: &mut Vec<Effect>) -> Self {
        effects.push(Effect::Dial(Dial::Anew(settings.groups.clone())));
        Self {
            phase: Phase::Dialing,
            groups: settings.groups.clone(),
            target: settings.groups.first().cloned(),
            settings,
            recoverable: None,
            recovering: false,
            lost: None,
            opened: now,
            heard: now,
            asked: false,
            pending: BTreeMap::new(),
            last_ack_id: 0,
            sequence: 0,
            told_sequence: 0,
            input_ended: false,
            sent: 0,
            failed: 0,
        }
    }

    /// Whether a line can be taken now; others wait where they are.
    pub fn wants_input(&self) -> bool {
        self.phase == Phase::Open && !self.input_ended && self.pending.len() < MOST_PENDING
    }

    /// Applies one input and appends what must now happen, in order.
    pub fn step(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Opened => self.opened(now, effects),
            Input::NotOpened(reason) => self.not_opened(now, reason, effects),
            Input::Heard => (self.heard, self.asked) = (now, false),
            Input::Received(message) => self.received(message, effects),
            Input::Unreadable(problem) => {
                let problem = format!("a message from the server cannot be read: {problem}");
                effects.push(Effect::Tell(Note::Problem(problem)));
            }
            Input::Ended(close) => self.ended(now, close, effects),
            Input::Line(line) => self.line(now, line, effects),
            Input::InputEnded => self.input_ended = true,
            Input::Interrupted if self.phase == Phase::Open => self.close(now, effects),
            Input::Interrupted => self.finish(Ok(()), effects),
            Input::Tick => self.tick(now, effects),
        }
        if self.phase == Phase::Open && self.input_ended && self.pending.is_empty() {
            self.close(now, effects);
        }
    }

    fn opened(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.phase = Phase::Open;
        (self.opened, self.heard, self.asked) = (now, now, false);
        if self.recovering {
            effects.extend(self.pending.values().cloned().map(Effect::Send));
            return;
        }
        (self.sequence, self.told_sequence) = (0, 0);
        if self.lost.is_some() {
            let given_up = std::mem::take(&mut self.pending).len();
            self.failed += given_up;
            effects.push(Effect::Tell(Note::Replaced(given_up)));
        } else if !self.settings.envelope {
            effects.push(Effect::Tell(Note::Opened));
            self.tell_target(effects);
        }
    }

    /// Tells a person where lines go.
    fn tell_target(&self, effects: &mut Vec<Effect>) {
        if self.settings.interactive {
            effects.push(Effect::Tell(Note::Target(self.target.clone())));
        }
    }

    fn not_opened(&mut self, now: Timestamp, reason: String, effects: &mut Vec<Effect>) {
        match self.lost {
            None => self.finish(Err(reason), effects),
            Some(lost) if now.since(lost) < PATIENCE => self.phase = Phase::Pausing(now + PAUSE),
            Some(_) => self.finish(Err(format!("the connection is lost: {reason}")), effects),
        }
    }

    fn received(&mut self, message: ServerMessage, effects: &mut Vec<Effect>) {
        match message {
            ServerMessage::Connected { connection_id, user, reconnection_token } => {
                let token = reconnection_token.filter(|_| self.settings.reliable);
                self.recoverable = token.map(|token| (connection_id.clone(), token));
                if !self.recovering {
                    effects.push(Effect::Tell(Note::Connected { connection_id, user }));
                }
                if self.lost.is_none() {
                    self.tell_target(effects);
                }
            }
            ServerMessage::Disconnected { reason } => {
                effects.push(Effect::Tell(Note::Closed(reason)));
            }
            ServerMessage::Data { message, sequence_id } => {
                if let Some(id) = sequence_id {
                    if id <= self.sequence {
                        return; // again, after a recovery
                    }
                    self.sequence = id;
                    if id - self.told_sequence >= SEQUENCE_GAP {
                        self.tell_sequence(effects);
                    }
                }
                effects.push(Effect::Deliver(message));
            }
            ServerMessage::Ack { ack_id, outcome } => self.acknowledged(ack_id, outcome, effects),
            ServerMessage::Pong => {}
        }
    }

    fn acknowledged(
        &mut self,
        ack_id: u64,
        outcome: Result<(), AckError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = self.pending.remove(&ack_id) else { return };
        let what = description(&message);
        match outcome {
            Err(error) if error.name != "Duplicate" => {
                self.failed += 1;
                effects.push(Effect::Tell(Note::Refused { what, error }));
                if let ClientMessage::JoinGroup { group, .. } = &message {
                    self.turn_away_from(group, effects);
                }
            }
            // A duplicate was done before the connection was lost.
            Ok(()) | Err(_) => {
                if self.settings.interactive {
                    effects.push(Effect::Tell(Note::Done(what)));
                }
                self.moved(&message);
            }
        }
    }

    /// Follows a change of groups.
    fn moved(&mut self, message: &ClientMessage<'_>) {
        match message {
            ClientMessage::JoinGroup { group, .. } if !self.groups.iter().any(|it| it == group) => {
                self.groups.push(group.to_string());
            }
            ClientMessage::LeaveGroup { group, .. } => self.groups.retain(|own| own != group),
            _ => {}
        }
    }

    /// Sends lines to a group, if they go to none: from the next line on, without waiting.
    fn turn_to(&mut self, group: &str, effects: &mut Vec<Effect>) {
        if self.target.is_none() {
            self.target = Some(group.to_owned());
            self.tell_target(effects);
        }
    }

    /// Sends lines to no group, if they go to this one.
    fn turn_away_from(&mut self, group: &str, effects: &mut Vec<Effect>) {
        if self.target.as_deref() == Some(group) {
            self.target = None;
            self.tell_target(effects);
        }
    }

    fn ended(&mut self, now: Timestamp, close: Option<(u16, String)>, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Open => {}
            Phase::Closing(_) => return self.finish(Ok(()), effects),
            Phase::Dialing | Phase::Pausing(_) | Phase::Over => return,
        }
        let (code, reason) = close.unwrap_or((1006, "without a closing handshake".to_owned()));
        let reason = format!("{code} {reason}").trim_end().to_owned();
        match code {
            // The server restarts, is overloaded, or is gone: all may come back.
            1001 | 1006 | 1011..=1014 if self.settings.envelope || code != 1011 => {
                self.lost(now, reason, effects);
            }
            1008 => {
                // The service has no such connection any more, or has thrown this one out.
                self.recoverable = None;
                self.lost(now, reason, effects);
            }
            1000 | 1005 => {
                effects.push(Effect::Tell(Note::Closed(reason)));
                self.finish(Ok(()), effects);
            }
            _ => self.finish(Err(format!("the server closed the connection: {reason}")), effects),
        }
    }

    fn lost(&mut self, now: Timestamp, reason: String, effects: &mut Vec<Effect>) {
        let lost = *self.lost.get_or_insert(now);
        if now.since(lost) >= PATIENCE {
            return self.finish(Err(format!("the connection is lost: {reason}")), effects);
        }
        effects.push(Effect::Tell(Note::Lost(reason)));
        self.phase = Phase::Pausing(now + PAUSE);
    }

    fn line(&mut self, now: Timestamp, line: Line, effects: &mut Vec<Effect>) {
        match line {
            Line::Empty => {}
            Line::Text(text) => self.publish(Data::Text(text.into()), effects),
            Line::Json(json) => self.publish(Data::Json(json.into()), effects),
            Line::Quit => self.close(now, effects),
            Line::Help => effects.push(Effect::Tell(Note::Help)),
            Line::Wrong(why) => {
                self.failed += usize::from(!self.settings.interactive);
                effects.push(Effect::Tell(Note::Problem(why)));
            }
            _ if !self.settings.envelope => {
                let why = "the simple protocol has no groups and event names: use --protocol json";
                self.failed += usize::from(!self.settings.interactive);
                effects.push(Effect::Tell(Note::Problem(why.to_owned())));
            }
            Line::Target(group) => {
                self.target = group;
                self.tell_target(effects);
            }
            Line::Event { name, text } => {
                self.event(name, Data::Text(text.into()), effects);
            }
            Line::Join(group) => {
                self.turn_to(&group, effects);
                let ack_id = self.next_ack_id();
                self.send(ClientMessage::JoinGroup { group: group.into(), ack_id }, effects);
            }
            Line::Leave(group) => {
                self.turn_away_from(&group, effects);
                let ack_id = self.next_ack_id();
                self.send(ClientMessage::LeaveGroup { group: group.into(), ack_id }, effects);
            }
        }
    }

    fn publish(&mut self, data: Data, effects: &mut Vec<Effect>) {
        let Some(group) = self.target.clone() else {
            return self.event("message".to_owned(), data, effects);
        };
        let message = ClientMessage::SendToGroup {
            group: group.into(),
            ack_id: self.next_ack_id(),
            // The person has just seen what was typed.
            no_echo: true,
            data,
            ttl_seconds: None,
            metadata: Metadata::default(),
        };
        self.send(message, effects);
    }

    fn event(&mut self, name: String, data: Data, effects: &mut Vec<Effect>) {
        let (ack_id, metadata) = (self.next_ack_id(), Metadata::default());
        self.send(ClientMessage::Event { event: name.into(), ack_id, data, metadata }, effects);
    }

    fn send(&mut self, message: ClientMessage<'static>, effects: &mut Vec<Effect>) {
        self.sent += 1;
        if self.settings.envelope {
            self.pending.insert(self.last_ack_id, message.clone());
        }
        effects.push(Effect::Send(message));
    }

    fn next_ack_id(&mut self) -> Option<u64> {
        self.last_ack_id += 1;
        Some(self.last_ack_id)
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Pausing(until) if now >= until => self.dial(now, effects),
            Phase::Closing(until) if now >= until => self.finish(Ok(()), effects),
            Phase::Open => self.keep(now, effects),
            Phase::Dialing | Phase::Pausing(_) | Phase::Closing(_) | Phase::Over => {}
        }
    }

    fn dial(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let in_time = self.lost.is_some_and(|lost| now.since(lost) < RECOVERY);
        let dial = match self.recoverable.clone().filter(|_| in_time) {
            Some((connection_id, token)) => Dial::Recover { connection_id, token },
            None => Dial::Anew(self.groups.clone()),
        };
        self.recovering = matches!(dial, Dial::Recover { .. });
        self.phase = Phase::Dialing;
        effects.push(Effect::Dial(dial));
    }

    /// Looks after an open connection.
    fn keep(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.lost.is_some() && now.since(self.opened) >= PAUSE {
            // A refusal would have come at once.
            self.lost = None;
            if std::mem::take(&mut self.recovering) {
                effects.push(Effect::Tell(Note::Recovered));
            }
        }
        if self.sequence > self.told_sequence {
            self.tell_sequence(effects);
        }
        let silence = now.since(self.heard);
        if silence >= SILENCE * 2 {
            effects.push(Effect::Hang);
            self.lost(now, "nothing was heard of the server".to_owned(), effects);
        } else if silence >= SILENCE && !self.asked {
            self.asked = true;
            effects.push(Effect::Ping);
        }
    }

    fn tell_sequence(&mut self, effects: &mut Vec<Effect>) {
        self.told_sequence = self.sequence;
        effects.push(Effect::Send(ClientMessage::SequenceAck { sequence_id: self.sequence }));
    }

    fn close(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.phase = Phase::Closing(now + CLOSING);
        effects.push(Effect::Close);
    }

    fn finish(&mut self, outcome: Result<(), String>, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        let failed = self.failed + self.pending.len();
        let outcome = match outcome {
            Ok(()) if failed > 0 && !self.settings.interactive => {
                Err(format!("{failed} of {} lines were not accepted", self.sent.max(failed)))
            }
            other => other,
        };
        effects.push(Effect::Finish(outcome));
    }
}

/// What a message does, as a person is told of its ack.
fn description(message: &ClientMessage<'_>) -> String {
    match message {
        ClientMessage::JoinGroup { group, .. } => format!("join {group}"),
        ClientMessage::LeaveGroup { group, .. } => format!("leave {group}"),
        ClientMessage::SendToGroup { group, .. } => format!("send to {group}"),
        ClientMessage::Event { event, .. } => format!("event {event}"),
        ClientMessage::SequenceAck { .. } => "acknowledge".to_owned(),
        ClientMessage::Ping => "ping".to_owned(),
    }
}

#[cfg(test)]
mod tests;
