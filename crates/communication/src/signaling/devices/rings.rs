//! Calls that ring at devices: told to those that are connected and, while it rings, to those that come.

use std::sync::Arc;

use kernel::Timestamp;

use super::{Devices, State, Waiting};
use crate::identifier::RawId;
use crate::signaling::EventKind;
use crate::signaling::journeys;
use crate::signaling::notice::Notice;

/// Calls that ring at one user. The oldest goes first: nobody answers so many.
const MAX_RINGS: usize = 16;

/// A call that rings at a user.
#[derive(Clone, Debug)]
pub(in crate::signaling) struct Ring {
    /// The call.
    pub(in crate::signaling) call: Arc<str>,
    /// What devices are told of it.
    pub(in crate::signaling) notice: Arc<Notice>,
    /// Since when.
    pub(in crate::signaling) at: Timestamp,
}

impl Ring {
    pub(super) fn waiting(&self, position: u64) -> Waiting {
        Waiting::new(position, self.at, Arc::clone(&self.notice))
    }
}

impl Devices {
    /// A call rings at a user from now on.
    pub(in crate::signaling) fn ring(&self, user: &RawId, ring: Ring) {
        let mut state = self.lock();
        state.last_position += 1;
        state.tell(user, &ring.notice, ring.at);
        state.record(user, &ring.notice);
        let rings = state.rings.entry(user.clone()).or_default();
        rings.push(ring);
        if rings.len() > MAX_RINGS {
            rings.remove(0);
        }
    }

    /// It does not ring any more. Devices that have not heard it ring hear only that; for those that
    /// are away it may be a missed call.
    pub(in crate::signaling) fn hush(&self, user: &RawId, stop: &Ring) {
        let mut state = self.lock();
        state.forget_ring(user, &stop.call);
        state.last_position += 1;
        state.tell(user, &stop.notice, stop.at);
        state.record(user, &stop.notice);
    }
}

impl State {
    /// Tells the journey of a call where it is heard.
    fn record(&self, user: &RawId, notice: &Notice) {
        if notice.journey().is_none() {
            return;
        }
        let devices = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let connected: Vec<&str> =
            devices.iter().filter(|it| it.is_connected()).map(|it| it.name.as_str()).collect();
        journeys::rung(notice, user, &connected, devices.len() - connected.len());
    }

    fn forget_ring(&mut self, user: &RawId, call: &str) {
        let Some(rings) = self.rings.get_mut(user) else { return };
        rings.retain(|it| *it.call != *call);
        if rings.is_empty() {
            self.rings.remove(user);
        }
        for device in self.users.get_mut(user).into_iter().flatten() {
            let rings = |it: &Waiting| {
                it.notice.kind == EventKind::IncomingCall && *it.notice.transaction == *call
            };
            let gone = device.waiting.iter().filter(|it| rings(it));
            device.bytes -= gone.map(|it| it.notice.tail().len()).sum::<usize>();
            device.waiting.retain(|it| !rings(it));
        }
    }
}
