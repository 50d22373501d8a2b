//! The work that causes pushes, written in the transaction of its cause.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use delivery::{Deliveries, NewDelivery, Queue, Schedule};
use serde::{Deserialize, Serialize};

use super::courier::PushCourier;
use super::devices::Devices;
use super::observer::Observer;
use super::payload::{self, Payload};
use super::presence::Presence;
use super::registration::Purpose;
use super::{Enqueued, QUEUE, Wake};
use crate::chat::{ChangeKind, ChatChange};
use crate::identifier::RawId;
use crate::link::Links;
use crate::ports::{Outbox, Work};

/// How long a push about a message is worth anything.
const WORTH: Duration = Duration::from_hours(1);
const ATTEMPTS: u32 = 8;

/// Pushes to the devices of users. Cheap to clone.
#[derive(Clone)]
pub struct Pushes(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) links: Links,
    pub(super) devices: Devices,
    pub(super) presence: Arc<dyn Presence>,
    pub(super) deliveries: Deliveries,
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
}

/// What the queue keeps.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub(super) enum Order {
    /// To the devices of these users that are away.
    Users {
        users: Vec<String>,
        purpose: For,
        payload: Payload,
        seconds: u64,
        #[serde(default)]
        order: Option<String>,
    },
    /// To one device.
    Device { user: String, id: String, payload: Payload },
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) enum For {
    Chat,
    Calls,
}

impl From<Purpose> for For {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Chat => Self::Chat,
            Purpose::Calls => Self::Calls,
        }
    }
}

impl From<For> for Purpose {
    fn from(it: For) -> Self {
        match it {
            For::Chat => Self::Chat,
            For::Calls => Self::Calls,
        }
    }
}

impl Pushes {
    /// Pushes through the hubs of `links` to `devices` of those who are away by `presence`.
    pub fn new(
        links: Links,
        devices: Devices,
        presence: Arc<dyn Presence>,
        deliveries: Deliveries,
    ) -> Self {
        Self(Arc::new(Inner { links, devices, presence, deliveries, observer: OnceLock::new() }))
    }

    /// Has `observer` told of pushes; the first one stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.0.observer.set(observer);
    }

    /// The queue that carries them out, for the driver of the deliveries.
    pub fn queue(&self) -> Queue {
        let delays = [2, 5, 15, 60, 300, 900].map(Duration::from_secs);
        Queue {
            name: QUEUE,
            schedule: Schedule::new(delays, Duration::from_secs(1)),
            courier: Arc::new(PushCourier::new(self.clone())),
        }
    }

    /// A push to the devices of these users that are away.
    pub(crate) fn to_users(&self, resource: &str, users: &[RawId], wake: Wake) -> Enqueued {
        // Without a hub devices are kept, and nothing is sent.
        if !self.0.links.is_linked(resource) {
            return Enqueued { statements: Vec::new(), deliveries: Vec::new() };
        }
        let Wake { purpose, payload, worth, order: key } = wake;
        let users = users.iter().map(|user| user.as_str().to_owned()).collect();
        let (seconds, order) = (worth.as_secs(), key.clone());
        let order = Order::Users { users, purpose: purpose.into(), payload, seconds, order };
        let delivery = NewDelivery { order_key: key, ..self.delivery(resource, &order, worth) };
        let deliveries = vec![delivery];
        Enqueued { statements: self.0.deliveries.enqueue(&deliveries), deliveries }
    }

    /// Says that the transaction with this work is committed.
    pub(crate) fn accepted(&self, deliveries: &[NewDelivery]) {
        self.0.deliveries.accepted(deliveries);
    }

    pub(super) fn delivery(&self, resource: &str, order: &Order, worth: Duration) -> NewDelivery {
        NewDelivery {
            id: self.0.deliveries.next_id(),
            queue: QUEUE,
            target: resource.to_owned(),
            order_key: None,
            payload: serde_json::to_vec(order).expect("an order is JSON"),
            not_before: None,
            time_to_live: worth,
            max_attempts: ATTEMPTS,
        }
    }
}

impl Outbox for Pushes {
    fn work(&self, change: &ChatChange) -> Work {
        let ChangeKind::MessageReceived(message) = &change.kind else { return Work::default() };
        let others = change.thread.participants.iter().map(|it| &it.id);
        let others: Vec<RawId> =
            others.filter(|it| Some(*it) != message.sender.as_ref()).cloned().collect();
        if others.is_empty() {
            return Work::default();
        }
        let payload = payload::message(change, message);
        let resource = &change.thread.resource;
        let wake = Wake { purpose: Purpose::Chat, payload, worth: WORTH, order: None };
        let Enqueued { statements, deliveries } = self.to_users(resource, &others, wake);
        let pushes = self.clone();
        let accepted = move || pushes.accepted(&deliveries);
        Work { statements, committed: Some(Box::new(accepted)) }
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pushes").finish_non_exhaustive()
    }
}
