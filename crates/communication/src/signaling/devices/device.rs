//! What one device has not taken yet, and where it is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kernel::Timestamp;

use super::Link;
use crate::identifier::RawId;
use crate::signaling::notice::{Notice, Push};

/// Notifications that wait for one device; the oldest goes first.
pub(super) const MAX_WAITING: usize = 1_024;
/// Bytes of notifications that wait for one device.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// How long a device may take to answer before it is told again on the same connection, which may have
/// lost what it was told; each further time twice as long. Clients answer within five seconds.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Times that it is told again.
const MAX_REPEATS: u32 = 5;

/// A chat client of a user, with or without a connection.
pub(super) struct Device {
    pub(super) name: String,
    /// The newest last.
    pub(super) lines: Vec<Line>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) bytes: usize,
    /// Whether something was lost that it should have got.
    pub(super) lost: bool,
    /// It wants to be told nothing more: forgotten with its last connection.
    pub(super) leaving: bool,
    pub(super) away_since: Timestamp,
}

/// A connection of a device.
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) expires: Timestamp,
    pub(super) generation: i64,
    pub(super) link: Box<dyn Link>,
}

/// A notification that a device has not answered.
pub(super) struct Waiting {
    pub(super) position: u64,
    pub(super) at: Timestamp,
    pub(super) notice: Arc<Notice>,
    /// When it was sent on the present connection.
    pub(super) told: Timestamp,
    /// How often it was sent again there.
    pub(super) repeats: u32,
}

impl Waiting {
    pub(super) fn new(position: u64, at: Timestamp, notice: Arc<Notice>) -> Self {
        Self { position, at, notice, told: at, repeats: 0 }
    }
}

impl Device {
    pub(super) fn new(name: String, now: Timestamp) -> Self {
        Self {
            name,
            lines: Vec::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            lost: false,
            leaving: false,
            away_since: now,
        }
    }

    /// The moment before which nothing waits.
    pub(super) fn taken_until(&self, now: Timestamp) -> Timestamp {
        self.waiting.iter().map(|it| it.at).min().map_or(now, |at| at.min(now))
    }

    pub(super) fn is_connected(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Queues a notification, and sends it where there is a connection. `push` is shared by the
    /// devices of a user.
    pub(super) fn tell(&mut self, it: Waiting, user: &RawId, push: &mut Option<Arc<Push>>) {
        self.tell_newest(|link| {
            let push = push.get_or_insert_with(|| Arc::new(it.notice.push(it.position, user)));
            link.push(push);
        });
        self.queue(it);
    }

    pub(super) fn queue(&mut self, it: Waiting) {
        self.bytes += it.notice.tail().len();
        self.waiting.push_back(it);
        self.trim();
    }

    /// Sends again what should have been answered by now.
    pub(super) fn remind(&mut self, user: &RawId, now: Timestamp) {
        let Some(line) = self.lines.last() else { return };
        let due = |it: &Waiting| now.since(it.told) >= ANSWER_PATIENCE * (1 << it.repeats);
        let unanswered = self.waiting.iter_mut().filter(|it| it.repeats < MAX_REPEATS && due(it));
        for it in unanswered {
            (it.told, it.repeats) = (now, it.repeats + 1);
            line.link.push(&Arc::new(it.notice.push(it.position, user)));
        }
    }

    /// Sends everything that is unanswered on a connection that has not heard it.
    pub(super) fn repeat(&mut self, user: &RawId, now: Timestamp) {
        self.waiting.iter_mut().for_each(|it| (it.told, it.repeats) = (now, 0));
        for it in &self.waiting {
            self.tell_newest(|link| link.push(&Arc::new(it.notice.push(it.position, user))));
        }
    }

    pub(super) fn tell_newest(&self, tell: impl FnOnce(&dyn Link)) {
        if let Some(line) = self.lines.last() {
            tell(&*line.link);
        }
    }

    pub(super) fn trim(&mut self) {
        while self.waiting.len() > MAX_WAITING || self.bytes > MAX_WAITING_BYTES {
            self.drop_oldest();
        }
    }

    pub(super) fn drop_oldest(&mut self) {
        if let Some(it) = self.waiting.pop_front() {
            self.bytes -= it.notice.tail().len();
            self.lost |= !it.notice.kind.is_fleeting();
        }
    }
}
