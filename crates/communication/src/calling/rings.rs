//! Who is rung, as far as this server has told it: what must be signalled follows from what a call was
//! and what it is. Pure.
//!
//! So it is the same whether a call was changed here, by another server on the same database, or before
//! this one started.

use std::collections::HashMap;

use kernel::Timestamp;

use super::model::Call;
use super::ports::{Signal, What};
use crate::identifier::RawId;

/// The calls that ring, by their ids.
#[derive(Debug, Default)]
pub(super) struct Rings(HashMap<String, Rung>);

#[derive(Debug)]
struct Rung {
    revision: i64,
    /// Users, and the secrets of their ringing.
    users: Vec<(RawId, String)>,
}

impl Rings {
    /// What follows when a call is at this revision now; nothing when it was seen later already.
    pub(super) fn see(&mut self, call: &Call, revision: i64) -> Vec<Signal> {
        if self.0.get(&call.id).is_some_and(|it| it.revision > revision) {
            return Vec::new();
        }
        let before = self.0.remove(&call.id).map_or_else(Vec::new, |it| it.users);
        let rung = call.people.iter().filter_map(|it| Some((it.raw(), it.invitation()?)));
        let users: Vec<(RawId, String)> =
            rung.map(|(user, invitation)| (user, invitation.secret.clone())).collect();
        let mut signals: Vec<Signal> = Vec::new();
        for (user, _) in before.iter().filter(|it| !users.contains(it)) {
            let missed = call.person(user).is_some_and(|it| it.missed);
            signals.push(signal(call, user, What::Stop { missed }));
        }
        for (user, _) in users.iter().filter(|it| !before.contains(it)) {
            let Some(person) = call.person(user) else { continue };
            let Some((context, invitation)) = person.context(call).zip(person.invitation()) else {
                continue;
            };
            let until = Timestamp::from_micros(invitation.until);
            signals.push(signal(call, user, What::Ring { context: context.encode(), until }));
        }
        if !users.is_empty() {
            self.0.insert(call.id.clone(), Rung { revision, users });
        }
        signals
    }

    /// The calls that must be read again, when these ring at these revisions.
    pub(super) fn stale(&self, ringing: &[(String, i64)]) -> Vec<String> {
        let changed = ringing
            .iter()
            .filter(|(id, revision)| self.0.get(id).is_none_or(|known| known.revision < *revision));
        let rings: HashMap<&str, i64> = ringing.iter().map(|(id, at)| (&**id, *at)).collect();
        let over = self.0.keys().filter(|id| !rings.contains_key(id.as_str()));
        changed.map(|(id, _)| id).chain(over).cloned().collect()
    }

    /// A call is in the store no more.
    pub(super) fn forget(&mut self, id: &str) {
        self.0.remove(id);
    }
}

fn signal(call: &Call, user: &RawId, what: What) -> Signal {
    Signal {
        user: user.clone(),
        from: call.from(),
        display_name: call.display_name.clone().unwrap_or_default(),
        server_call_id: call.server_call_id(),
        correlation_id: call.correlation.clone(),
        what,
    }
}
