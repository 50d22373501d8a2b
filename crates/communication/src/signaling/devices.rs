//! Who is connected, and what each device has not taken yet.
//!
//! A device is one chat client of a user, by the name that it gives itself; it outlives its
//! connections. What it is told stays in its queue until it answers. A connection that comes is given
//! the whole queue, so what was lost with the one before it arrives now; where only the answer was
//! lost, a notification comes twice. While several connections are open (a client that moves), the
//! newest is told.
//!
//! Everything happens under one lock, which is what makes the order of notifications: neither telling
//! nor connecting waits for anything while holding it. Queues, devices and connections are bounded.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::Timestamp;
use tokio::sync::Notify;

use super::journal::Missed;
use super::journeys::{self, Reached};
use super::notice::{Announcement, Notice, Push};
use super::observer::{Answer, Observer, Transport};
use super::ticket::Ticket;
use super::trouter::Order;
use crate::identifier::RawId;
use crate::identity::{Ended, Ending};

mod device;
mod rings;
#[cfg(test)]
mod tests;

use device::{Device, Line, Waiting};
pub(super) use rings::Ring;

/// How long a device that is away is told afterwards what it has missed. The real service names no
/// figure; its headers suggest this one.
pub const WINDOW: Duration = Duration::from_mins(10);
/// Devices of one user. Each page load of a browser is a new one.
const MAX_DEVICES: usize = 64;
/// Connections of one device: one, and another while it moves.
const MAX_LINES: usize = 3;
/// How often it is looked for what was not answered.
const REMIND_INTERVAL: Duration = Duration::from_secs(5);
/// How often devices that stay away are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// One connection, on whatever transport. Neither call may block.
pub(super) trait Link: Send + 'static {
    /// Sends a pushed request.
    fn push(&self, push: &Arc<Push>);
    /// Tells the client something else; it is closed after [`Order::Unauthorized`].
    fn order(&self, order: Order);
    /// Closes it without words.
    fn close(&self);
    /// What it is.
    fn transport(&self) -> Transport;
}

/// Which connection of which device reports something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Whose.
    pub(super) user: RawId,
    /// The device's name.
    pub(super) device: String,
    /// The connection.
    pub(super) line: u64,
}

/// A device without a connection, or one that is asked to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Away {
    /// Whose.
    pub(super) user: RawId,
    /// The device's name.
    pub(super) device: String,
    /// It has taken everything that happened before.
    pub(super) since: Timestamp,
}

/// Why a connection may not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The token has ended since.
    Unauthorized,
    /// The server is stopping.
    Closing,
}

/// All devices of a node.
#[derive(Default)]
pub(super) struct Devices {
    state: Mutex<State>,
    lines: AtomicU64,
    observers: Vec<Arc<dyn Observer>>,
    /// Told when a connection is gone.
    departed: Notify,
}

#[derive(Default)]
struct State {
    users: HashMap<RawId, Vec<Device>>,
    last_position: u64,
    /// When connections end, with their tokens.
    expiries: BTreeSet<(Timestamp, u64, RawId)>,
    /// Whose tokens have ended lately, and when: tickets of earlier generations are worth nothing.
    ended: HashMap<RawId, (i64, Timestamp)>,
    /// The calls that ring, for devices that come while they do.
    rings: HashMap<RawId, Vec<Ring>>,
    /// Who has lost a last connection since the last tick.
    departed: Vec<(RawId, String)>,
    swept: Timestamp,
    reminded: Timestamp,
    closing: bool,
}

impl Devices {
    /// Nobody yet.
    pub(super) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self { observers, ..Self::default() }
    }

    /// A name for a connection about to be attached.
    pub(super) fn member(&self, ticket: &Ticket) -> Member {
        let line = self.lines.fetch_add(1, Ordering::Relaxed);
        Member { user: ticket.user.clone(), device: ticket.device.clone(), line }
    }

    /// Tells those whom it concerns. Called in the order of a thread's changes.
    pub(super) fn announce(&self, news: &Announcement) {
        let mut state = self.lock();
        state.last_position += 1;
        for user in news.receivers() {
            state.tell(user, &news.notice, news.at);
        }
        if news.notice.journey().is_some() {
            journeys::announced(&news.notice, state.reached(news));
        }
    }

    /// Whether a device is remembered.
    pub(super) fn knows(&self, ticket: &Ticket) -> bool {
        let state = self.lock();
        let devices = state.users.get(&ticket.user);
        devices.is_some_and(|devices| devices.iter().any(|it| it.name == ticket.device))
    }

    /// Remembers a device that is about to connect: it misses nothing from now on.
    pub(super) fn expect(&self, ticket: &Ticket, now: Timestamp) {
        self.lock().device(ticket, now);
    }

    /// Puts what a device has missed before it was remembered in front of what it has missed since.
    pub(super) fn restore(&self, ticket: &Ticket, missed: Missed, now: Timestamp) {
        let Missed { notices: missed, lost } = missed;
        let mut state = self.lock();
        let State { users, last_position, .. } = &mut *state;
        let Some(devices) = users.get_mut(&ticket.user) else { return };
        let Some(device) = devices.iter_mut().find(|it| it.name == ticket.device) else { return };
        device.lost |= lost;
        for (notice, at) in missed.into_iter().rev() {
            if device.waiting.iter().any(|it| it.notice.transaction == notice.transaction) {
                continue;
            }
            *last_position += 1;
            device.bytes += notice.tail().len();
            let notice = Arc::new(notice);
            device.waiting.push_front(Waiting::new(*last_position, at, notice));
        }
        device.trim();
        if device.is_connected() {
            device.repeat(&ticket.user, now);
        }
    }

    /// Opens a connection: what its device has not answered goes out first.
    ///
    /// # Errors
    /// [`Refused`] when the token has ended since the ticket was given, or the server is stopping.
    pub(super) fn attach(
        &self,
        member: &Member,
        ticket: &Ticket,
        link: Box<dyn Link>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closing {
            return Err(Refused::Closing);
        }
        let ended = state.ended.get(&ticket.user);
        if ended.is_some_and(|(before, _)| ticket.generation < *before)
            || ticket.token_expires <= now
        {
            return Err(Refused::Unauthorized);
        }
        state.expiries.insert((ticket.token_expires, member.line, ticket.user.clone()));
        let device = state.device(ticket, now);
        device.leaving = false;
        let Ticket { token_expires: expires, generation, .. } = *ticket;
        device.lines.push(Line { id: member.line, expires, generation, link });
        if std::mem::take(&mut device.lost) {
            device.tell_newest(|link| link.order(Order::Lost));
        }
        device.repeat(&ticket.user, now);
        if device.lines.len() > MAX_LINES {
            // It stays until it reports its end.
            device.lines[0].link.close();
        }
        Ok(())
    }

    /// A connection is gone.
    pub(super) fn detach(&self, member: &Member, now: Timestamp) {
        let mut state = self.lock();
        let State { users, expiries, departed, .. } = &mut *state;
        let Some(device) = find(users, &member.user, &member.device) else { return };
        let Some(at) = device.lines.iter().position(|line| line.id == member.line) else { return };
        let was_newest = at + 1 == device.lines.len();
        let line = device.lines.remove(at);
        expiries.remove(&(line.expires, line.id, member.user.clone()));
        if device.lines.is_empty() && device.leaving {
            remove(users, &member.user, &member.device);
        } else if device.lines.is_empty() {
            device.away_since = now;
            device.waiting.retain(|it| !it.notice.kind.is_fleeting());
            departed.push((member.user.clone(), member.device.clone()));
        } else if was_newest {
            device.repeat(&member.user, now);
        }
        drop(state);
        self.departed.notify_waiters();
    }

    /// A client has answered a pushed request. Answers to what it was not asked mean nothing.
    pub(super) fn answered(&self, member: &Member, position: u64, status: u16) {
        let mut state = self.lock();
        let Some(device) = find(&mut state.users, &member.user, &member.device) else { return };
        let Some(at) = device.waiting.iter().position(|it| it.position == position) else { return };
        let Some(it) = device.waiting.remove(at) else { return };
        device.bytes -= it.notice.tail().len();
        let line = device.lines.iter().find(|line| line.id == member.line);
        let answer = Answer {
            user: member.user.clone(),
            event: it.notice.kind,
            status,
            device: member.device.clone(),
            transport: line.map_or(Transport::WebSocket, |line| line.link.transport()),
            at: it.at,
            notice: Arc::clone(&it.notice),
        };
        drop(state);
        journeys::answered(&it.notice, &answer);
        self.observers.iter().for_each(|observer| observer.answered(&answer));
    }

    /// A device does not want to be told any more. Its connections stay: they are closed by a client
    /// that stops, and are new ones of a client that has started again before this was heard.
    pub(super) fn forget(&self, user: &RawId, device: &str) {
        let mut state = self.lock();
        let Some(it) = find(&mut state.users, user, device) else { return };
        if it.is_connected() {
            it.leaving = true;
        } else {
            remove(&mut state.users, user, device);
        }
    }

    /// A device wants to be told.
    pub(super) fn keep(&self, user: &RawId, device: &str) {
        if let Some(it) = find(&mut self.lock().users, user, device) {
            it.leaving = false;
        }
    }

    /// The tokens of a user have ended. Connections of newer ones stay.
    pub(super) fn end(&self, ended: &Ended, now: Timestamp) {
        let Ended { user, ending, before } = ended;
        let mut state = self.lock();
        let known = state.ended.entry(user.clone()).or_insert((*before, now));
        *known = (known.0.max(*before), now);
        let devices = state.users.get(user).into_iter().flatten();
        let lines = devices.flat_map(|it| &it.lines).filter(|line| line.generation < *before);
        lines.for_each(|line| line.link.order(Order::Unauthorized));
        if *ending == Ending::Deleted {
            state.expiries.retain(|(_, _, whose)| whose != user);
            state.users.remove(user);
        }
    }

    /// Endings may have been missed: every client shows its token again.
    pub(super) fn end_all(&self) {
        let state = self.lock();
        let lines = state.users.values().flatten().flat_map(|it| &it.lines);
        lines.for_each(|line| line.link.order(Order::Unauthorized));
    }

    /// Ends what is over: connections with their tokens, devices that stay away. Returns those who
    /// have gone away since the last time. To be called every second.
    pub(super) fn tick(&self, now: Timestamp) -> Vec<Away> {
        let mut state = self.lock();
        state.end_expired(now);
        if now.since(state.swept) >= SWEEP_INTERVAL {
            state.swept = now;
            state.sweep(now);
        }
        if now.since(state.reminded) >= REMIND_INTERVAL {
            state.reminded = now;
            let users = state.users.iter_mut();
            users
                .for_each(|(user, devices)| devices.iter_mut().for_each(|it| it.remind(user, now)));
        }
        let mut departed = std::mem::take(&mut state.departed);
        if state.closing {
            // That they leave is known already; where they have gone they may be registered by now.
            departed.clear();
        }
        let away = departed.into_iter().filter_map(|(user, name)| {
            let device = find(&mut state.users, &user, &name)?;
            let since = device.taken_until(device.away_since);
            (!device.is_connected()).then_some(Away { user, device: name, since })
        });
        away.collect()
    }

    /// Whether a user has any connection.
    pub(super) fn is_connected(&self, user: &RawId) -> bool {
        let state = self.lock();
        state.users.get(user).is_some_and(|devices| devices.iter().any(Device::is_connected))
    }

    /// Whether a device of a user has a connection.
    pub(super) fn is_device_connected(&self, user: &RawId, device: &str) -> bool {
        find(&mut self.lock().users, user, device).is_some_and(|it| it.is_connected())
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.lock().users.values().flatten().map(|it| it.lines.len()).sum()
    }

    /// Whether nobody may connect any more.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Lets nobody in any more. Returns who is connected, for those who take over.
    pub(super) fn close(&self, now: Timestamp) -> Vec<Away> {
        let mut state = self.lock();
        state.closing = true;
        let devices =
            state.users.iter().flat_map(|(user, all)| all.iter().map(move |it| (user, it)));
        let connected = devices.filter(|(_, device)| device.is_connected());
        let leaving = connected.map(|(user, device)| Away {
            user: user.clone(),
            device: device.name.clone(),
            since: device.taken_until(now),
        });
        leaving.collect()
    }

    /// Asks everybody to go to another server, and waits until all have gone, at most for `patience`.
    pub(super) async fn leave(&self, patience: Duration) {
        {
            let state = self.lock();
            let lines = state.users.values().flatten().flat_map(|it| &it.lines);
            lines.for_each(|line| line.link.order(Order::Move));
        }
        let gone = async {
            loop {
                let departed = self.departed.notified();
                if self.connections() == 0 {
                    return;
                }
                departed.await;
            }
        };
        // Those who do not go are closed like everybody else.
        let _ = tokio::time::timeout(patience, gone).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the receivers of a notification are.
    fn reached(&self, news: &Announcement) -> Reached {
        let mut reached = Reached::default();
        for user in news.receivers() {
            let devices = self.users.get(user).map_or(&[][..], Vec::as_slice);
            let connected = devices.iter().filter(|it| it.is_connected()).count();
            reached.connected += connected;
            reached.away += devices.len() - connected;
            reached.absent += usize::from(devices.is_empty());
        }
        reached
    }

    /// Queues a notification at all devices of a user, under the last position.
    fn tell(&mut self, user: &RawId, notice: &Arc<Notice>, at: Timestamp) {
        let Some(devices) = self.users.get_mut(user) else { return };
        // Completed when the first device is found, once for all of a user.
        let mut push = None;
        for device in devices {
            if device.is_connected() || !notice.kind.is_fleeting() {
                let it = Waiting::new(self.last_position, at, Arc::clone(notice));
                device.tell(it, user, &mut push);
            }
        }
    }

    /// The device of a ticket; remembered from now on. One too many takes the place of the one that
    /// has been away longest, or of the oldest. A new one is told what rings.
    fn device(&mut self, ticket: &Ticket, now: Timestamp) -> &mut Device {
        let devices = self.users.entry(ticket.user.clone()).or_default();
        let at = devices.iter().position(|it| it.name == ticket.device).unwrap_or_else(|| {
            if devices.len() >= MAX_DEVICES {
                let away = |(_, it): &(usize, &Device)| (it.is_connected(), it.away_since);
                let oldest = devices.iter().enumerate().min_by_key(away).map_or(0, |(at, _)| at);
                let gone = devices.remove(oldest);
                gone.lines.iter().for_each(|line| line.link.close());
            }
            let mut device = Device::new(ticket.device.clone(), now);
            for ring in self.rings.get(&ticket.user).into_iter().flatten() {
                self.last_position += 1;
                device.queue(ring.waiting(self.last_position));
                journeys::rung_late(&ring.notice, &ticket.user, &device.name);
            }
            devices.push(device);
            devices.len() - 1
        });
        &mut devices[at]
    }

    fn end_expired(&mut self, now: Timestamp) {
        while self.expiries.first().is_some_and(|(expires, _, _)| *expires <= now) {
            let Some((_, id, user)) = self.expiries.pop_first() else { return };
            let devices = self.users.get(&user).into_iter().flatten();
            let mut lines = devices.flat_map(|it| &it.lines);
            if let Some(line) = lines.find(|line| line.id == id) {
                line.link.order(Order::Unauthorized);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        let is_over = |moment: Timestamp| now.since(moment) >= WINDOW;
        for devices in self.users.values_mut() {
            devices.retain(|it| it.is_connected() || !is_over(it.away_since));
            for device in devices {
                while device.waiting.front().is_some_and(|it| is_over(it.at)) {
                    device.drop_oldest();
                }
            }
        }
        self.users.retain(|_, devices| !devices.is_empty());
        self.ended.retain(|_, (_, ended)| !is_over(*ended));
    }
}

fn find<'a>(
    users: &'a mut HashMap<RawId, Vec<Device>>,
    user: &RawId,
    device: &str,
) -> Option<&'a mut Device> {
    users.get_mut(user)?.iter_mut().find(|it| it.name == device)
}

fn remove(users: &mut HashMap<RawId, Vec<Device>>, user: &RawId, device: &str) {
    let Some(devices) = users.get_mut(user) else { return };
    devices.retain(|it| it.name != device);
    if devices.is_empty() {
        users.remove(user);
    }
}
