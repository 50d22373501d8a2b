//! The polling transport: a conversation whose packets wait to be fetched.
//!
//! A `GET` is held until there is something to say, a `POST` brings what the client says. The
//! connection is the same to its device as one over WebSocket; what differs is that nobody notices
//! when the client is gone, so one that does not poll for a while is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::devices::{Devices, Link, Member};
use super::notice::Push;
use super::observer::Transport;
use super::packet::{Kind, Malformed, Packet, decode_batch, encode_batch};
use super::trouter::{Conversation, Effect, Order};
use super::websocket::BEGIN_ANEW;
use crate::time;

/// How long a request is held when there is nothing to say: below the time-outs of usual proxies.
const HOLD: Duration = Duration::from_secs(25);
/// How long after its last request was held a client is taken for gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// Packets that may wait for one client.
const MAX_WAITING: usize = 1_024;
/// Bytes that may wait for one client.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// Packets of one answer.
const MAX_ANSWER: usize = 100;
/// Polling connections of a node; each is as good as a WebSocket, but costs more.
const MAX_CONNECTIONS: usize = 10_000;

/// One connection.
pub(super) struct Polling {
    member: Member,
    devices: Arc<Devices>,
    state: Mutex<State>,
    /// Something has come to be fetched, or a newer request to fetch it.
    changed: Notify,
}

struct State {
    conversation: Conversation,
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    /// Counts the requests; only the newest is answered with packets.
    polls: u64,
    /// The last request that was answered with packets, by its name, and the answer.
    answered: Option<(String, String)>,
    last_poll: Timestamp,
    /// The time of the moment, for what is told with a time.
    now: Timestamp,
    over: bool,
}

enum Outgoing {
    Packet(String),
    Push(Arc<Push>),
}

impl Outgoing {
    fn text(&self) -> &str {
        match self {
            Self::Packet(text) => text,
            Self::Push(push) => &push.text,
        }
    }
}

impl Polling {
    /// A connection that has just been greeted.
    pub(super) fn new(member: Member, devices: Arc<Devices>, now: Timestamp) -> Arc<Self> {
        let waiting: VecDeque<_> = Conversation::greeting().map(Outgoing::Packet).into();
        let state = State {
            conversation: Conversation::default(),
            bytes: waiting.iter().map(|it| it.text().len()).sum(),
            waiting,
            polls: 0,
            answered: None,
            last_poll: now,
            now,
            over: false,
        };
        Arc::new(Self { member, devices, state: Mutex::new(state), changed: Notify::new() })
    }

    /// The connection as its device knows it.
    pub(super) fn link(self: &Arc<Self>) -> Box<dyn Link> {
        Box::new(PollingLink(Arc::clone(self)))
    }

    /// Which connection of which device this is.
    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// The packets that are there, or that come while the request is held. A request of the same name
    /// as the one before is that one again: browsers repeat by themselves what was cut off, and nobody
    /// hears of it, so it gets the same packets, once more.
    pub(super) async fn fetch(
        &self,
        name: Option<&str>,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> String {
        let number = {
            let mut state = self.lock();
            state.last_poll = now;
            if state.answered.as_ref().is_some_and(|(it, _)| Some(it.as_str()) == name)
                && let Some((_, answer)) = state.answered.take()
            {
                return answer;
            }
            state.polls += 1;
            state.now = now;
            state.polls
        };
        // An older request that is still held is answered with nothing.
        self.changed.notify_waiters();
        let nothing = Packet::new(Kind::Noop, None).encode();
        let held = async {
            loop {
                let changed = self.changed.notified();
                if let Some(answer) = self.lock().answer(number, name) {
                    return answer;
                }
                changed.await;
            }
        };
        tokio::select! {
            answer = held => answer,
            () = tokio::time::sleep(HOLD) => nothing,
            () = stop.cancelled() => nothing,
        }
    }

    /// Takes what the client says.
    ///
    /// # Errors
    /// [`Malformed`] when it is no batch of packets; the connection is over.
    pub(super) fn hear(&self, batch: &str, now: Timestamp) -> Result<(), Malformed> {
        let mut effects = Vec::new();
        let mut broken = None;
        {
            let mut state = self.lock();
            state.now = now;
            match decode_batch(batch) {
                Ok(packets) => {
                    packets.iter().for_each(|it| state.conversation.hear(it, &mut effects));
                }
                Err(malformed) => broken = Some(malformed),
            }
        }
        for effect in effects {
            match effect {
                Effect::Send(packet) => self.say(Outgoing::Packet(packet)),
                Effect::Answered { position, status } => {
                    self.devices.answered(&self.member, position, status);
                }
                Effect::Ended => self.end(now),
                Effect::Broken(malformed) => broken = Some(malformed),
            }
        }
        match broken {
            None => Ok(()),
            Some(malformed) => {
                self.end(now);
                Err(malformed)
            }
        }
    }

    /// Ends the connection and tells its device.
    pub(super) fn end(&self, now: Timestamp) {
        self.lock().over = true;
        self.changed.notify_waiters();
        self.devices.detach(&self.member, now);
    }

    /// Whether the connection is over, or the client does not fetch any more.
    fn is_gone(&self, now: Timestamp) -> bool {
        let state = self.lock();
        let over = state.over && state.waiting.is_empty();
        over || now.since(state.last_poll) > HOLD + PATIENCE
    }

    fn say(&self, outgoing: Outgoing) {
        self.lock().say(outgoing);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The answer to a request; `None` while it has to be held.
    fn answer(&mut self, number: u64, name: Option<&str>) -> Option<String> {
        let answer = self.take(number)?;
        if number == self.polls {
            self.answered = name.map(|name| (name.to_owned(), answer.clone()));
        }
        Some(answer)
    }

    fn take(&mut self, number: u64) -> Option<String> {
        if number != self.polls {
            return Some(Packet::new(Kind::Noop, None).encode());
        }
        if self.waiting.is_empty() {
            return self.over.then(|| BEGIN_ANEW.to_owned());
        }
        // The first answer opens the transport and holds nothing else.
        let opening = number == 1;
        let count = if opening { 1 } else { self.waiting.len().min(MAX_ANSWER) };
        let packets: Vec<Outgoing> = self.waiting.drain(..count).collect();
        self.bytes -= packets.iter().map(|it| it.text().len()).sum::<usize>();
        Some(encode_batch(packets.iter().map(Outgoing::text)))
    }

    fn say(&mut self, outgoing: Outgoing) {
        if self.over {
            return;
        }
        self.bytes += outgoing.text().len();
        self.waiting.push_back(outgoing);
        if self.waiting.len() > MAX_WAITING || self.bytes > MAX_WAITING_BYTES {
            // Too slow: it begins anew, and its device still has what it has not answered.
            self.waiting.clear();
            self.bytes = 0;
            self.over = true;
        }
    }
}

struct PollingLink(Arc<Polling>);

impl Link for PollingLink {
    fn push(&self, push: &Arc<Push>) {
        self.0.say(Outgoing::Push(Arc::clone(push)));
    }

    fn order(&self, order: Order) {
        {
            let mut state = self.0.lock();
            let moment = time::seconds(state.now);
            let packet = state.conversation.order(order, &moment);
            state.say(Outgoing::Packet(packet));
            // Its device is told by the sweep, since this may be called by the device itself.
            state.over |= order == Order::Unauthorized;
        }
        self.0.changed.notify_waiters();
    }

    fn close(&self) {
        self.0.lock().over = true;
        self.0.changed.notify_waiters();
    }

    fn transport(&self) -> Transport {
        Transport::LongPolling
    }
}

/// The polling connections of a node, by the names of their sessions.
#[derive(Default)]
pub(super) struct Pollings(Mutex<HashMap<String, Arc<Polling>>>);

impl Pollings {
    /// The connection of a session.
    pub(super) fn get(&self, sid: &str) -> Option<Arc<Polling>> {
        self.lock().get(sid).cloned()
    }

    /// Keeps a new connection; `false` when there is no room. The one that is there already stays.
    pub(super) fn insert(&self, sid: &str, polling: &Arc<Polling>) -> bool {
        let mut all = self.lock();
        if all.len() >= MAX_CONNECTIONS || all.contains_key(sid) {
            return false;
        }
        all.insert(sid.to_owned(), Arc::clone(polling));
        true
    }

    /// Forgets those that are gone. To be called every second.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut gone = Vec::new();
        self.lock().retain(|_, polling| {
            let stays = !polling.is_gone(now);
            if !stays {
                gone.push(Arc::clone(polling));
            }
            stays
        });
        gone.iter().for_each(|polling| polling.end(now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Polling>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::RawId;
    use crate::signaling::sample;

    const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);

    fn polling() -> Arc<Polling> {
        let (user, device) = (RawId::new(sample::BOB), "d".to_owned());
        Polling::new(Member { user, device, line: 1 }, Arc::default(), NOW)
    }

    async fn fetched(polling: &Polling) -> String {
        named(polling, None).await
    }

    async fn named(polling: &Polling, name: Option<&str>) -> String {
        polling.fetch(name, NOW, &CancellationToken::new()).await
    }

    async fn greeted() -> Arc<Polling> {
        let polling = polling();
        assert_eq!(fetched(&polling).await, "1::");
        assert!(fetched(&polling).await.contains("trouter.connected"));
        polling
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_held_and_answered_with_nothing_in_the_end() {
        let polling = greeted().await;
        let begun = tokio::time::Instant::now();
        assert_eq!(fetched(&polling).await, "8::");
        assert_eq!(begun.elapsed(), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_a_request_is_held_answers_it() {
        let polling = greeted().await;
        let link = polling.link();
        let (answer, ()) = tokio::join!(fetched(&polling), async {
            tokio::task::yield_now().await;
            link.push(&Arc::new(sample::push("☃")));
        });
        assert_eq!(answer, sample::push("☃").text);
    }

    #[tokio::test(start_paused = true)]
    async fn packets_that_wait_come_in_one_batch() {
        let polling = greeted().await;
        polling.hear("5:1+::{\"name\":\"user.activity\"}", NOW).unwrap();
        polling.link().push(&Arc::new(sample::push("☃")));
        let batch = fetched(&polling).await;
        assert_eq!(decode_batch(&batch).unwrap(), ["6:::1+[]", &sample::push("☃").text]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_request_takes_over_from_an_older_one() {
        let polling = greeted().await;
        let (older, newer) = tokio::join!(fetched(&polling), async {
            tokio::task::yield_now().await;
            polling.hear("5:1+::{}", NOW).unwrap();
            fetched(&polling).await
        });
        assert_eq!([&*older, &*newer].into_iter().filter(|it| *it == "6:::1+[]").count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_a_browser_repeats_gets_the_same_packets() {
        let polling = polling();
        for _ in 0..2 {
            assert_eq!(named(&polling, Some("1")).await, "1::");
        }
        assert!(named(&polling, Some("2")).await.contains("trouter.connected"));
        polling.link().push(&Arc::new(sample::push("cut off")));
        let cut_off = named(&polling, Some("3")).await;
        polling.link().push(&Arc::new(sample::push("later")));
        assert_eq!(named(&polling, Some("3")).await, cut_off);
        assert_eq!(named(&polling, Some("4")).await, sample::push("later").text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_over_says_so() {
        let polling = greeted().await;
        polling.link().order(Order::Unauthorized);
        assert_eq!(fetched(&polling).await, r#"0:::{"reason":"unauthorized"}"#);
        assert_eq!(fetched(&polling).await, BEGIN_ANEW);
        let polling = greeted().await;
        assert!(polling.hear("nonsense", NOW).is_err());
        assert_eq!(fetched(&polling).await, BEGIN_ANEW);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_fetches_too_slowly_begins_anew() {
        let polling = greeted().await;
        let push = Arc::new(sample::push("x"));
        (0..=MAX_WAITING).for_each(|_| polling.link().push(&push));
        assert_eq!(fetched(&polling).await, BEGIN_ANEW);
        assert!(polling.is_gone(NOW));
    }

    #[test]
    fn those_who_do_not_poll_are_forgotten() {
        let (pollings, polling) = (Pollings::default(), polling());
        assert!(pollings.insert("sid", &polling));
        assert!(!pollings.insert("sid", &polling));
        pollings.sweep(NOW + HOLD);
        assert!(pollings.get("sid").is_some());
        pollings.sweep(NOW + HOLD + PATIENCE + Duration::from_secs(1));
        assert!(pollings.get("sid").is_none());
    }
}
