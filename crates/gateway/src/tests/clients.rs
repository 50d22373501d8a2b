//! A started engine and blocking WebSocket clients for its tests.

use std::any::Any;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use kernel::{Clock, Timestamp};
use prometheus_client::registry::Registry;
use testkit::ManualClock;
use tokio::runtime::Runtime;

use crate::frame::{self, OpCode};
use crate::{
    Audience, Close, ConnectionId, Effect, Gateway, GroupChange, HubId, Input, Listed, LiveTrace,
    Numbering, Opening, Page, Publication, QueueLimits, Reservation, Session, Settings, Socket,
    Target, Variant, Watched,
};

pub(super) const MAX_MESSAGE: usize = 300_000;
pub(super) const KEEP_ALIVE_SECS: u32 = 20;
/// Far longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A protocol of words: `join G`, `leave G`, `say G TEXT`, `panic`.
struct WordSession;

impl Session for WordSession {
    fn step(&mut self, _now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        let say = |text: &str| Effect::Send(frame::encode(OpCode::Text, text.as_bytes()));
        match input {
            Input::Opened | Input::Ended(_) => {}
            Input::Recovered => effects.push(say("back")),
            Input::Binary(bytes) => effects.push(say(&format!("{} bytes", bytes.len()))),
            Input::Closing(close) => effects.push(say(&format!("bye: {}", close.reason))),
            Input::Text(text) => {
                let words: Vec<&str> = text.splitn(3, ' ').collect();
                effects.push(match *words {
                    ["join", group] => Effect::Join(group.into()),
                    ["leave", group] => Effect::Leave(group.into()),
                    ["pause"] => Effect::Pause,
                    ["ack", number] => Effect::Acknowledge(number.parse().unwrap()),
                    ["say", group, text] => Effect::Publish {
                        audience: Audience::Group(group.into()),
                        publication: super::words(text),
                        echo: false,
                    },
                    _ => panic!("told to panic by: {text}"),
                });
                effects.push(say("ok"));
            }
        }
    }

    fn instruct(
        &mut self,
        _now: Timestamp,
        instruction: Box<dyn Any + Send>,
        _effects: &mut Vec<Effect>,
    ) -> bool {
        let hold = instruction.downcast::<Hold>().expect("it is told nothing else");
        hold.reached.send(()).unwrap();
        hold.go_on.recv_timeout(PATIENCE).is_ok()
    }
}

/// Holds a shard up within a command, from the moment that it tells until it is told to go on.
pub(super) struct Hold {
    pub(super) reached: mpsc::Sender<()>,
    pub(super) go_on: mpsc::Receiver<()>,
}

/// Puts the number behind the text of a whole frame that serves as the shared body.
fn numbered(body: &Bytes, sequence_id: u64) -> Bytes {
    frame::encode(OpCode::Text, format!("{}#{sequence_id}", body_text(body)).as_bytes())
}

/// The text in a short frame.
fn body_text(frame: &Bytes) -> String {
    String::from_utf8(frame[2..].to_vec()).unwrap()
}

pub(super) struct Host {
    pub(super) gateway: Gateway,
    pub(super) hub: HubId,
    pub(super) clock: Arc<ManualClock>,
    registry: Registry,
    runtime: Runtime,
}

impl Host {
    pub(super) fn start(shards: usize) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_000_000)));
        let mut registry = Registry::default();
        let settings = Settings {
            shards,
            max_message_bytes: MAX_MESSAGE,
            queue: QueueLimits { bytes: 1 << 20, frames: 10_000 },
        };
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let gateway = Gateway::start(settings, &shared, &mut registry).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { hub: gateway.hub("hub"), gateway, clock, registry, runtime }
    }

    pub(super) fn reserve(
        &self,
        user: Option<&str>,
        groups: &[&str],
    ) -> (Reservation, ConnectionId) {
        let id = self.gateway.allocate();
        (self.open(self.opening(id, user, groups)), id)
    }

    /// A connection whose messages are numbered and kept until they are acknowledged.
    pub(super) fn connect_reliable(&self) -> Client {
        let id = self.gateway.allocate();
        let reliable = Some(numbered as Numbering);
        Client::attach(self.open(Opening { reliable, ..self.opening(id, None, &["g"]) }), id)
    }

    pub(super) fn recover(&self, id: ConnectionId) -> Option<Client> {
        Some(Client::attach(self.begin_recovery(id)?, id))
    }

    /// The half of a recovery before the new socket: the old one is dropped, the window begins.
    pub(super) fn begin_recovery(&self, id: ConnectionId) -> Option<Reservation> {
        self.runtime.block_on(self.gateway.recover(self.hub, id, Variant::new(0)))
    }

    /// Whether a connection can still be registered.
    pub(super) fn can_open(&self, id: ConnectionId) -> bool {
        self.runtime.block_on(self.gateway.open(self.opening(id, None, &[]))).is_ok()
    }

    fn open(&self, opening: Opening) -> Reservation {
        self.runtime.block_on(self.gateway.open(opening)).unwrap()
    }

    fn opening(&self, id: ConnectionId, user: Option<&str>, groups: &[&str]) -> Opening {
        Opening {
            id,
            hub: self.hub,
            user: user.map(Into::into),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            variant: Variant::new(0),
            keep_alive_secs: KEEP_ALIVE_SECS,
            reliable: None,
            session: Box::new(WordSession),
        }
    }

    pub(super) fn connect(&self, user: Option<&str>, groups: &[&str]) -> Client {
        let (reservation, id) = self.reserve(user, groups);
        let client = Client::attach(reservation, id);
        // Asked after the socket was handed over, so answered when it is in use.
        self.count(Audience::Connection(id));
        client
    }

    pub(super) fn publish(&self, target: Target, publication: Publication) {
        self.runtime.block_on(self.gateway.publish(target, publication));
    }

    pub(super) fn regroup(&self, audience: Audience, change: GroupChange) -> usize {
        self.runtime.block_on(self.gateway.regroup(Target::all(self.hub, audience), change))
    }

    pub(super) fn close(&self, audience: Audience, close: Close) -> usize {
        self.runtime.block_on(self.gateway.close(Target::all(self.hub, audience), close))
    }

    pub(super) fn count(&self, audience: Audience) -> usize {
        self.runtime.block_on(self.gateway.count(self.hub, audience))
    }

    pub(super) fn list(&self, after: Option<ConnectionId>, limit: usize) -> Vec<Listed> {
        let page = Page { after, limit };
        self.runtime.block_on(self.gateway.list(self.hub, Audience::Group("g".into()), page))
    }

    pub(super) fn live_trace(&self, watched: Watched) -> Option<LiveTrace> {
        self.gateway.live_trace(self.hub, watched)
    }

    /// What happened next, as name and detail.
    pub(super) fn observe(&self, trace: &mut LiveTrace) -> (ConnectionId, String) {
        let next = async { tokio::time::timeout(PATIENCE, trace.next()).await };
        let seen = self.runtime.block_on(next).expect("something happens").expect("it runs");
        (seen.connection, format!("{}: {}", seen.happening.name(), seen.happening))
    }

    /// Holds the connection's shard up within a command; what is sent through the result lets it go on.
    /// The receiver tells that it is held.
    pub(super) fn hold(&self, id: ConnectionId) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((reached, is_held), (release, go_on)) = (mpsc::channel(), mpsc::channel());
        self.gateway.tell(self.hub, id, Box::new(Hold { reached, go_on }));
        (is_held, release)
    }

    /// Moves the clock and makes every shard look at it.
    pub(super) fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.count(Audience::Everyone);
    }

    pub(super) fn begin_drain(&self, close: Close) -> JoinHandle<()> {
        let gateway = self.gateway.clone();
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(gateway.drain(close));
        })
    }

    /// The sum of a metric over all shards.
    pub(super) fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.gateway.stop();
    }
}

fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_header(&mut bytes, OpCode::Text, payload.len());
    bytes[0] = first;
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&[0; 4]); // a mask of zeros changes nothing
    bytes.extend_from_slice(payload);
    bytes
}

pub(super) struct Client {
    pub(super) id: ConnectionId,
    tcp: TcpStream,
}

impl Client {
    pub(super) fn attach(reservation: Reservation, id: ConnectionId) -> Self {
        Self::attach_with(reservation, id, Vec::new())
    }

    fn attach_with(reservation: Reservation, id: ConnectionId, read_ahead: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        reservation.attach(Socket { tcp: server, tls: None, read_ahead });
        Self { id, tcp }
    }

    /// Hands over a socket whose peer has reset it, with input that had been read before.
    pub(super) fn attach_reset(reservation: Reservation, read_ahead: &[u8]) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        // Closing with unread input makes the kernel send a reset instead of an end.
        server.write_all(b"unread").unwrap();
        tcp.peek(&mut [0; 6]).unwrap();
        drop(tcp);
        server.set_nonblocking(true).unwrap();
        reservation.attach(Socket { tcp: server, tls: None, read_ahead: read_ahead.to_vec() });
    }

    /// Hands over a socket with input that had been read before.
    pub(super) fn attach_having_said(
        reservation: Reservation,
        id: ConnectionId,
        text: &str,
    ) -> Self {
        Self::attach_with(reservation, id, client_frame(0x81, text.as_bytes()))
    }

    /// Ends the TCP connection without any goodbye.
    pub(super) fn cut(self) -> ConnectionId {
        self.id
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).unwrap();
    }

    pub(super) fn send(&mut self, first: u8, payload: &[u8]) {
        let bytes = client_frame(first, payload);
        // The server may refuse an oversized frame before it has read the whole of it.
        let _ = self.tcp.write_all(&bytes);
    }

    pub(super) fn send_text(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.tcp.read_exact(&mut head)?;
        let mut long = [0; 8];
        let len = match head[1] {
            126 => {
                self.tcp.read_exact(&mut long[6..])?;
                u64::from_be_bytes(long)
            }
            127 => {
                self.tcp.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            short => short.into(),
        };
        let mut payload = vec![0; len as usize];
        self.tcp.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    pub(super) fn texts(&mut self, count: usize) -> Vec<String> {
        let next = |_| {
            let (first, payload) = self.frame().expect("a text frame within the patience");
            assert_eq!(first, 0x81, "expected a text frame");
            String::from_utf8(payload).unwrap()
        };
        (0..count).map(next).collect()
    }

    pub(super) fn opcode(&mut self) -> OpCode {
        match self.frame().expect("a frame within the patience").0 {
            0x89 => OpCode::Ping,
            0x88 => OpCode::Close,
            _ => OpCode::Text,
        }
    }

    pub(super) fn close(&mut self) -> (u16, String) {
        let (first, payload) = self.frame().expect("a close frame within the patience");
        assert_eq!(first, 0x88, "expected a close frame");
        let (code, reason) = frame::read_close(&payload).unwrap().unwrap();
        (code, reason.to_owned())
    }

    pub(super) fn close_after_texts(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.frame().expect("a close frame within the patience");
            if first == 0x88 {
                let (code, reason) = frame::read_close(&payload).unwrap().unwrap();
                return (code, reason.to_owned());
            }
        }
    }

    /// Whether the server has ended the TCP connection; waits for it.
    pub(super) fn is_ended(&mut self) -> bool {
        matches!(self.tcp.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}
