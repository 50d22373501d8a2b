//! Carries pushes out: first who is away and has which devices, then one send for each of them.

use std::borrow::Cow;
use std::time::Duration;

use delivery::{Courier, Doing, NewDelivery, Parcel, Plan, Verdict};

use super::observer::SentPush;
use super::outbox::{Inner, Order, Pushes};
use super::payload::Payload;
use super::{Purpose, Wake, journeys};
use crate::identifier::RawId;
use crate::link::{FaultKind, Sent};

/// Sends through one hub at a time.
const CONCURRENCY: usize = 32;
/// How long a hub is left alone that fails for everybody.
const PROBATION: Duration = Duration::from_secs(60);

pub(super) struct PushCourier {
    pushes: Pushes,
}

impl PushCourier {
    pub(super) fn new(pushes: Pushes) -> Self {
        Self { pushes }
    }

    async fn carry_out(&self, parcel: &Parcel) -> Verdict {
        let Some(item) = parcel.items.first() else { return Verdict::Delivered };
        // What was found out before a crash is on its way already.
        if item.progress.is_some() {
            return Verdict::Delivered;
        }
        let Ok(order) = serde_json::from_slice::<Order>(&item.payload) else {
            return refused("Unreadable", "the work was written by another version");
        };
        let outcome = match order {
            Order::Users { users, purpose, payload, seconds, order } => {
                let users: Vec<RawId> = users.into_iter().map(RawId::new).collect();
                let worth = Duration::from_secs(seconds);
                let wake = Wake { purpose: purpose.into(), payload, worth, order };
                self.spread(parcel, &users, &wake).await
            }
            Order::Device { user, id, payload } => {
                self.send(&parcel.target, &RawId::new(user), &id, &payload).await
            }
        };
        outcome.unwrap_or_else(|error| retry("Store", error.message().to_owned(), None, false))
    }

    /// Finds the devices that are to be woken; each becomes a delivery.
    async fn spread(
        &self,
        parcel: &Parcel,
        users: &[RawId],
        wake: &Wake,
    ) -> kernel::Result<Verdict> {
        let inner = &self.pushes.0;
        // Without a hub devices are kept, and nothing is sent.
        if inner.links.status(&parcel.target).await?.is_none() {
            journeys::not_linked();
            return Ok(Verdict::Delivered);
        }
        let mut orders = Vec::new();
        for (user, id) in self.away(users, wake.purpose).await? {
            let order_key = wake.order.as_ref().map(|order| format!("{order}/{id}"));
            let payload = wake.payload.to(&user);
            let order = Order::Device { user: user.as_str().to_owned(), id, payload };
            let delivery = self.pushes.delivery(&parcel.target, &order, wake.worth);
            orders.push(NewDelivery { order_key, ..delivery });
        }
        journeys::matched(users.len(), orders.len());
        if orders.is_empty() {
            return Ok(Verdict::Delivered);
        }
        let (statements, item) = (inner.deliveries.enqueue(&orders), &parcel.items[0]);
        let written = parcel.lease.checkpoint_with(item.id, vec![1], statements).await;
        if written.is_err() {
            return Ok(retry("Lease", "another node has this work".to_owned(), None, false));
        }
        inner.deliveries.accepted(&orders);
        Ok(Verdict::Delivered)
    }

    /// The devices of these users that need a push: whoever is connected anywhere reads messages there,
    /// but every device rings.
    async fn away(
        &self,
        users: &[RawId],
        purpose: Purpose,
    ) -> kernel::Result<Vec<(RawId, String)>> {
        let Inner { devices, presence, .. } = &*self.pushes.0;
        let asked = users.iter().filter(|user| match purpose {
            Purpose::Chat => !presence.is_connected(user),
            Purpose::Calls => true,
        });
        let mut found = devices.of(&asked.cloned().collect::<Vec<_>>(), purpose).await?;
        found.retain(|(user, id)| !presence.is_device_connected(user, id));
        Ok(found)
    }

    async fn send(
        &self,
        resource: &str,
        user: &RawId,
        id: &str,
        payload: &Payload,
    ) -> kernel::Result<Verdict> {
        let inner = &self.pushes.0;
        let Some(device) = inner.devices.get(user, id).await? else {
            journeys::unregistered();
            return Ok(Verdict::Delivered);
        };
        let secrets = &device.secrets;
        let push = payload.push(device.platform, &secrets.handle, secrets.keys.as_ref());
        let sent = inner.links.send(resource, &push).await?;
        if let Some(observer) = inner.observer.get() {
            observer.sent(&SentPush::new(user, id, payload, &sent));
        }
        let verdict = match sent {
            Sent::Accepted => Verdict::Delivered,
            Sent::DeviceGone => {
                inner.devices.delete(user, id).await?;
                refused("DeviceGone", "the platform does not know the device any more")
            }
            Sent::Refused(why) => refused("Refused", why),
            Sent::Busy(why, pause) => retry("Busy", why, pause, false),
            // Whoever linked no hub wants no pushes.
            Sent::Fault(fault) if fault.kind == FaultKind::NotLinked => {
                refused(fault.kind.code(), fault.to_string())
            }
            // The other platform may have credentials, so its devices do not wait for them.
            Sent::Fault(fault) => {
                let own = matches!(
                    fault.kind,
                    FaultKind::CredentialsMissing
                        | FaultKind::CredentialsRejected
                        | FaultKind::ApnsCertificateMode
                );
                retry(fault.kind.code(), fault.to_string(), None, !own)
            }
        };
        journeys::answered(device.platform.format(), id, &verdict);
        Ok(verdict)
    }
}

impl Courier for PushCourier {
    fn plan(&self, _: &str) -> Plan {
        Plan { concurrency: CONCURRENCY, timeout: Duration::from_secs(30), ..Plan::default() }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move { self.carry_out(&parcel).await })
    }
}

fn refused(outcome: &'static str, answer: impl Into<String>) -> Verdict {
    Verdict::Refused { outcome: Cow::Borrowed(outcome), answer: answer.into() }
}

fn retry(
    outcome: &'static str,
    answer: String,
    not_before: Option<Duration>,
    speaks_against_hub: bool,
) -> Verdict {
    let probation = speaks_against_hub.then_some(PROBATION);
    Verdict::Retry { outcome: Cow::Borrowed(outcome), answer, not_before, probation }
}
