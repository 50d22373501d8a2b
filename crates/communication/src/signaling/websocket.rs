//! The WebSocket transport: a conversation behind a connection of the gateway, pure.
//!
//! A frame is a packet. What the conversation has to say goes out as effects; what the client reports
//! is raised out of the engine to its device.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use cluster::Backplane;
use gateway::frame::{self, OpCode};
use gateway::{Close, ConnectionId, Effect, HubId, Input, Raised, Session};
use kernel::Timestamp;

use super::devices::{Devices, Link, Member};
use super::notice::Push;
use super::observer::Transport;
use super::packet::{Kind, Packet};
use super::trouter::{self, Conversation, Order};
use crate::time;

/// What the service tells a session.
#[derive(Debug)]
enum Instruction {
    Push(Arc<Push>),
    Order(Order),
    Close,
}

/// The connection as its device knows it.
pub(super) struct WebSocketLink {
    /// Where the connection is.
    pub(super) backplane: Backplane,
    /// The hub of all signaling connections.
    pub(super) hub: HubId,
    /// Its name.
    pub(super) id: ConnectionId,
}

impl WebSocketLink {
    fn tell(&self, instruction: Instruction) {
        self.backplane.tell(self.hub, self.id, Box::new(instruction));
    }
}

impl Link for WebSocketLink {
    fn push(&self, push: &Arc<Push>) {
        self.tell(Instruction::Push(Arc::clone(push)));
    }

    fn order(&self, order: Order) {
        self.tell(Instruction::Order(order));
    }

    fn close(&self) {
        self.tell(Instruction::Close);
    }

    fn transport(&self) -> Transport {
        Transport::WebSocket
    }
}

/// The state of one connection.
pub(super) struct SignalingSession {
    conversation: Conversation,
    member: Arc<Member>,
    devices: Arc<Devices>,
}

impl SignalingSession {
    /// A connection that is about to open.
    pub(super) fn new(member: Member, devices: Arc<Devices>) -> Self {
        Self { conversation: Conversation::default(), member: Arc::new(member), devices }
    }

    fn report(&self, what: What) -> Effect {
        let (member, devices) = (Arc::clone(&self.member), Arc::clone(&self.devices));
        Effect::Raise(Box::new(Report { member, devices, what }))
    }

    fn hear(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let mut heard = Vec::new();
        self.conversation.hear(text, &mut heard);
        effects.extend(heard.into_iter().map(|effect| match effect {
            trouter::Effect::Send(packet) => send(&packet),
            trouter::Effect::Answered { position, status } => {
                self.report(What::Answered { position, status })
            }
            trouter::Effect::Ended => Effect::Close(Close::new(1000, "")),
            trouter::Effect::Broken(why) => Effect::Close(Close::new(1002, why.0)),
        }));
    }
}

impl Session for SignalingSession {
    fn step(&mut self, now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Opened => effects.extend(Conversation::greeting().iter().map(|it| send(it))),
            Input::Text(text) => self.hear(text, effects),
            Input::Binary(_) => {
                effects.push(Effect::Close(Close::new(1003, "Packets are text.")));
            }
            Input::Ended(_) => effects.push(self.report(What::Gone { now })),
            // The close frame says enough, and no connection of this kind is recovered.
            Input::Closing(_) | Input::Recovered => {}
        }
    }

    fn instruct(
        &mut self,
        now: Timestamp,
        instruction: Box<dyn Any + Send>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Ok(instruction) = instruction.downcast::<Instruction>() else { return false };
        match *instruction {
            Instruction::Push(push) => effects.push(Effect::Send(push.frame())),
            Instruction::Order(order) => {
                effects.push(send(&self.conversation.order(order, &time::seconds(now))));
                if order == Order::Unauthorized {
                    let reason = "The user access token has ended.";
                    effects.push(Effect::Close(Close::new(1008, reason)));
                }
            }
            Instruction::Close => {
                effects.push(Effect::Close(Close::new(1000, "Another connection took over.")));
            }
        }
        true
    }
}

fn send(packet: &str) -> Effect {
    Effect::Send(frame::encode(OpCode::Text, packet.as_bytes()))
}

/// What a connection reports to its device.
struct Report {
    member: Arc<Member>,
    devices: Arc<Devices>,
    what: What,
}

#[derive(Debug)]
enum What {
    Answered { position: u64, status: u16 },
    Gone { now: Timestamp },
}

impl fmt::Debug for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(out)
    }
}

impl Raised for Report {
    fn raise(self: Box<Self>) {
        match self.what {
            What::Answered { position, status } => {
                self.devices.answered(&self.member, position, status);
            }
            What::Gone { now } => self.devices.detach(&self.member, now),
        }
    }
}

/// A client whose session is over before it begins: it is let in only to be told, since it would take
/// a refused handshake for a network that knows no WebSockets.
pub(super) struct RefusedSession {
    /// What it is told before the end.
    packet: String,
}

impl RefusedSession {
    /// The client has to begin anew.
    pub(super) fn begin_anew() -> Self {
        Self { packet: BEGIN_ANEW.to_owned() }
    }

    /// The client has to bring another token.
    pub(super) fn unauthorized() -> Self {
        Self { packet: Conversation::default().order(Order::Unauthorized, "") }
    }

    /// What the client is told, for a transport without a session.
    pub(super) fn packet(self) -> String {
        self.packet
    }
}

/// The error "client not handshaken" with the advice to reconnect.
pub(super) const BEGIN_ANEW: &str = "7:::1+0";

impl Session for RefusedSession {
    fn step(&mut self, _now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        if matches!(input, Input::Opened) {
            // Clients heed nothing before the beginning.
            effects.push(send(&Packet::new(Kind::Connect, None).encode()));
            effects.push(send(&self.packet));
            effects.push(Effect::Close(Close::new(1008, "The session is over.")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::RawId;
    use crate::signaling::sample;

    fn session() -> SignalingSession {
        let (user, device) = (RawId::new(sample::BOB), "d".to_owned());
        SignalingSession::new(Member { user, device, line: 1 }, Arc::default())
    }

    fn steps(session: &mut dyn Session, input: Input<'_>) -> Vec<String> {
        let mut effects = Vec::new();
        session.step(Timestamp::default(), input, &mut effects);
        effects.iter().map(shown).collect()
    }

    /// A frame by its packet, everything else as it is.
    fn shown(effect: &Effect) -> String {
        match effect {
            Effect::Send(frame) => {
                let header = frame::read_server_header(frame, 1 << 20).unwrap().unwrap();
                String::from_utf8(frame[header.header_len..].to_vec()).unwrap()
            }
            Effect::Close(close) => format!("close {}", close.code),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_client_is_greeted_heard_and_let_go() {
        let mut session = session();
        let greeting = steps(&mut session, Input::Opened);
        assert_eq!(greeting[0], "1::");
        assert!(greeting[1].contains("trouter.connected"));
        let ping = r#"5:2+::{"name":"ping"}"#;
        assert_eq!(steps(&mut session, Input::Text(ping)), [r#"6:::2+["pong"]"#]);
        let answer = r#"3:::{"id":17,"status":200}"#;
        let reported = steps(&mut session, Input::Text(answer));
        assert_eq!(reported, ["Raise(Answered { position: 17, status: 200 })"]);
        assert_eq!(steps(&mut session, Input::Text("0::")), ["close 1000"]);
        assert!(steps(&mut session, Input::Ended(&Close::new(1006, "gone")))[0].contains("Gone"));
    }

    #[test]
    fn nonsense_ends_the_connection() {
        assert_eq!(steps(&mut session(), Input::Text("hello")), ["close 1002"]);
        assert_eq!(steps(&mut session(), Input::Binary(b"1::")), ["close 1003"]);
    }

    #[test]
    fn instructions_become_packets() {
        let mut session = session();
        let push = Arc::new(sample::push("hi"));
        let mut told = |instruction: Instruction| -> Vec<String> {
            let mut effects = Vec::new();
            assert!(session.instruct(Timestamp::default(), Box::new(instruction), &mut effects));
            effects.iter().map(shown).collect()
        };
        assert_eq!(told(Instruction::Push(Arc::clone(&push))), [push.text.as_str()]);
        assert!(told(Instruction::Order(Order::Move))[0].contains("trouter.reconnect"));
        let ended = told(Instruction::Order(Order::Unauthorized));
        assert_eq!(ended, [r#"0:::{"reason":"unauthorized"}"#, "close 1008"]);
        assert_eq!(told(Instruction::Close), ["close 1000"]);
    }

    #[test]
    fn a_refused_client_is_told_why() {
        let told = steps(&mut RefusedSession::begin_anew(), Input::Opened);
        assert_eq!(told, ["1::", "7:::1+0", "close 1008"]);
        let told = steps(&mut RefusedSession::unauthorized(), Input::Opened);
        assert_eq!(told[1], r#"0:::{"reason":"unauthorized"}"#);
    }
}
