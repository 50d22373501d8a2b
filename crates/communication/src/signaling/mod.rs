//! Real-time notifications: the road by which chat clients in browsers hear of changes.
//!
//! | module | what |
//! |---|---|
//! | `body`, `notice` | a change as clients are told it; encoded once; pure |
//! | `packet`, `trouter` | socket.io 0.9, and the conversation over it; pure |
//! | `websocket`, `polling` | the conversation on its two transports |
//! | `devices` | who is connected, and what each device has not taken yet |
//! | `ringing` | calls that ring, told to the devices that are connected |
//! | `journal` | registrations, and what a device has missed over a restart; rows |
//! | `ticket` | what lets a client on to the next step |
//! | `rest`, `connect` | the requests |
//! | `observer` | what clients answer |
//!
//! What is guaranteed: a device that was connected within the last ten minutes, and comes back, gets
//! every notification that it has not answered, but typing, in the order of each thread; up to 1,024
//! notifications and 4 MiB, beyond which it is told that something was lost. That holds for a
//! connection that breaks, and for a server that is killed and started again, if the device had
//! registered. Where the connection stays, what was not answered within ten seconds is told again on
//! it, in case it was lost there. A notification whose answer was lost comes twice; after a kill, so do
//! those of the last five seconds before it, and after an orderly stop those of the last one. Nobody is
//! told anything that is not on disk, but typing.
//!
//! Not here: pushes to phones; what becomes of calls.

mod body;
mod connect;
mod devices;
mod journal;
mod journeys;
mod notice;
mod observer;
pub mod packet;
mod polling;
pub(crate) mod rest;
mod ringing;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod ticket;
pub mod trouter;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use cluster::Backplane;
use gateway::HubId;
use kernel::{Clock, Result, Timestamp};
use storage::Db;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::chat::ChatChange;
use crate::identifier::RawId;
use crate::identity::Identities;
use crate::ports::{Outbox, Realtime, Work};
use crate::push::Presence;
use crate::resource::{Resource, Resources};
use crate::rest::host;

pub use body::{EVENT_KINDS, EventKind};
pub use devices::WINDOW;
pub use notice::About;
pub use observer::{Answer, Count, Observer, Tally, Transport};

use devices::{Away, Devices};
use journal::Journal;
use notice::Announcement;
use polling::Pollings;

/// How often ended tokens and clients that are gone are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How often rows that are not needed any more are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// The real-time notifications of one node. Cheap to clone.
#[derive(Clone)]
pub struct Signaling(Arc<Inner>);

struct Inner {
    resources: Resources,
    identities: Identities,
    backplane: Backplane,
    clock: Arc<dyn Clock>,
    devices: Arc<Devices>,
    pollings: Pollings,
    journal: Journal,
    /// Cancelled when the server stops: requests that are held are answered.
    stop: CancellationToken,
}

/// Who is connected to a node, for those who must know it before signaling is open. Cheap to clone.
#[derive(Clone)]
pub struct Roster(Arc<Devices>);

impl Roster {
    /// Nobody yet. `observers` want to know what clients answer.
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(Devices::new(observers)))
    }
}

impl Presence for Roster {
    fn is_connected(&self, user: &RawId) -> bool {
        self.0.is_connected(user)
    }

    fn is_device_connected(&self, user: &RawId, device: &str) -> bool {
        self.0.is_device_connected(user, device)
    }
}

impl Signaling {
    /// The notifications of users of `identities`, over `db`, which has had this crate's migrations.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(foundation: Foundation) -> Result<Self> {
        let Foundation { resources, identities, backplane, db, clock, roster, stop } = foundation;
        let journal = Journal::open(db).await?;
        let (devices, pollings) = (roster.0, Pollings::default());
        let inner =
            Inner { resources, identities, backplane, clock, devices, pollings, journal, stop };
        Ok(Self(Arc::new(inner)))
    }

    /// Every route of signaling.
    pub fn router(&self) -> Router {
        crate::rest::surrounded(rest::router(self.clone()), &crate::version::CHAT)
    }

    /// How many clients are connected, by either transport.
    pub fn connections(&self) -> usize {
        self.0.devices.connections()
    }

    /// Ends what is over and keeps the store tidy, until the server stops.
    pub async fn run(&self) {
        let work = Box::pin(async {
            tokio::join!(self.tick(), self.follow_endings(), self.prune());
        });
        self.0.stop.run_until_cancelled(work).await;
    }

    /// Lets no client in any more, and writes down what those that are here have got, for the server
    /// that takes them over. The first step of stopping, before connections are refused.
    pub async fn close(&self) {
        let leaving = self.0.devices.close(self.now());
        self.note_away(&leaving).await;
    }

    /// Asks every client to move to another server and waits until they have gone, at most for
    /// `patience`. The second step, once new requests go elsewhere; then connections are closed.
    pub async fn leave(&self, patience: Duration) {
        self.0.devices.leave(patience).await;
    }

    /// Has every client show its token again, since some may not hold any more: an access key that has
    /// issued tokens was replaced.
    pub fn ask_for_tokens(&self) {
        self.0.devices.end_all();
    }

    async fn tick(&self) {
        let mut interval = interval(TICK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let now = self.now();
            self.0.pollings.sweep(now);
            self.note_away(&self.0.devices.tick(now)).await;
        }
    }

    async fn note_away(&self, away: &[Away]) {
        if let Err(error) = self.0.journal.went_away(away).await {
            let context = error.operator_context();
            tracing::warn!(%error, context, "cannot note which devices have gone away");
        }
    }

    async fn follow_endings(&self) {
        let mut endings = self.0.identities.endings();
        loop {
            match endings.recv().await {
                Ok(ended) => self.0.devices.end(&ended, self.now()),
                Err(RecvError::Lagged(_)) => self.0.devices.end_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Rows that were the newest when the window began are deleted when it has passed.
    async fn prune(&self) {
        let mut interval = interval(PRUNE_INTERVAL);
        let mut marks = std::collections::VecDeque::new();
        loop {
            interval.tick().await;
            let begun = Instant::now();
            let pruned = async {
                marks.push_back((begun, self.0.journal.newest().await?));
                let past = |(at, _): &(Instant, i64)| begun.duration_since(*at) >= WINDOW;
                let count = marks.iter().take_while(|mark| past(mark)).count();
                let newest = marks.drain(..count).next_back().map_or(0, |(_, newest)| newest);
                self.0.journal.prune(newest, self.now()).await
            };
            if let Err(error) = pruned.await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot delete old notifications");
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn resource(&self, parts: &Parts) -> Result<Arc<Resource>> {
        self.0.resources.pick(host(parts)).map(Arc::clone)
    }

    fn hub(&self, resource: &Resource) -> HubId {
        self.0.backplane.hub(&format!("communication/{}/signaling", resource.name))
    }

    fn check_open(&self) -> Result<()> {
        match self.0.devices.is_closing() {
            true => Err(connect::shutting_down()),
            false => Ok(()),
        }
    }
}

/// What signaling stands on.
pub struct Foundation {
    /// The resources of the service.
    pub resources: Resources,
    /// Their users.
    pub identities: Identities,
    /// The connections of the installation.
    pub backplane: Backplane,
    /// The store.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is connected; empty so far.
    pub roster: Roster,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

impl Outbox for Signaling {
    fn work(&self, change: &ChatChange) -> Work {
        let news = Announcement::of(change);
        let statements = vec![Journal::note(change, &news)];
        let devices = Arc::clone(&self.0.devices);
        let committed: Box<dyn FnOnce() + Send> = Box::new(move || devices.announce(&news));
        Work { statements, committed: Some(committed) }
    }
}

impl Realtime for Signaling {
    fn announce(&self, change: &Arc<ChatChange>) {
        // All else is told when its row is on disk.
        if EventKind::of(change).is_fleeting() {
            self.0.devices.announce(&Announcement::of(change));
        }
    }
}
