//! Carries pushes out: first who is away and has which devices, then one send for each of them.

use std::borrow::Cow;
use std::time::Duration;

use delivery::{Courier, Doing, Parcel, Plan, Verdict};

use super::outbox::{Order, Pushes};
use super::payload::Payload;
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
            Order::Users { users, purpose, payload, seconds } => {
                let users: Vec<RawId> = users.into_iter().map(RawId::new).collect();
                self.spread(parcel, &users, (purpose.into(), seconds), &payload).await
            }
            Order::Device { user, id, payload } => {
                self.send(&parcel.target, &RawId::new(user), &id, &payload).await
            }
        };
        outcome.unwrap_or_else(|error| retry("Store", error.message().to_owned(), None, false))
    }

    /// Finds the devices of those who are away; each becomes a delivery.
    async fn spread(
        &self,
        parcel: &Parcel,
        users: &[RawId],
        (purpose, seconds): (super::Purpose, u64),
        payload: &Payload,
    ) -> kernel::Result<Verdict> {
        let inner = &self.pushes.0;
        // Without a hub devices are kept, and nothing is sent.
        if inner.links.status(&parcel.target).await?.is_none() {
            return Ok(Verdict::Delivered);
        }
        let away: Vec<RawId> =
            users.iter().filter(|user| !inner.presence.is_connected(user)).cloned().collect();
        let mut orders = Vec::new();
        for (user, id) in inner.devices.of(&away, purpose).await? {
            let payload = payload.to(&user);
            let order = Order::Device { user: user.as_str().to_owned(), id, payload };
            orders.push(self.pushes.delivery(&parcel.target, &order, Duration::from_secs(seconds)));
        }
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

    async fn send(
        &self,
        resource: &str,
        user: &RawId,
        id: &str,
        payload: &Payload,
    ) -> kernel::Result<Verdict> {
        let inner = &self.pushes.0;
        let Some(device) = inner.devices.get(user, id).await? else {
            return Ok(Verdict::Delivered);
        };
        let secrets = &device.secrets;
        let push = payload.push(device.platform, &secrets.handle, secrets.keys.as_ref());
        Ok(match inner.links.send(resource, &push).await? {
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
                    FaultKind::CredentialsMissing | FaultKind::CredentialsRejected
                );
                retry(fault.kind.code(), fault.to_string(), None, !own)
            }
        })
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
