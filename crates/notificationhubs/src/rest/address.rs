//! Which hub a request is for.
//!
//! Hubs of several namespaces may have the same name. The host tells the namespace where its first
//! label is the name of one. Elsewhere, such as on `localhost`, hubs of all namespaces are reached under
//! one address, and the key that signed the request tells whose it is; without a fitting key, the
//! namespace of the configuration comes first.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use kernel::{Error, ErrorKind, Result};

use super::Query;
use crate::credential::{Policies, is_signed_with};
use crate::refusal::shown;
use crate::registry::{HubEntry, Snapshot};
use crate::service::NotificationHubs;

impl NotificationHubs {
    /// The hub of this name that a request is for. Whether its caller may do anything is not checked.
    ///
    /// # Errors
    /// `NotFound` when no namespace has a hub of this name.
    pub(super) fn addressed(
        &self,
        parts: &Parts,
        host: Option<&str>,
        hub: &str,
    ) -> Result<Arc<HubEntry>> {
        let snapshot = self.snapshot();
        let label = host.and_then(|host| host.split(['.', ':']).next()).unwrap_or_default();
        let by_host = snapshot.namespace(label).and_then(|it| snapshot.hub(&it.row.name, hub));
        if let Some(found) = by_host {
            return Ok(Arc::clone(found));
        }
        let named = snapshot.hubs_named(hub, &self.settings().default_namespace);
        let found = match named.as_slice() {
            [] | [_] => named.first(),
            _ => {
                let opened = named.iter().find(|it| self.is_signed_for(parts, it, &snapshot));
                opened.or(named.first())
            }
        };
        found.map(|it| Arc::clone(it)).ok_or_else(|| {
            let message = format!(
                "No service is hosted at the specified address. This server has no notification hub \
                 '{}'; the names of those that it has are in `tidings push fix`.",
                shown(hub)
            );
            Error::new(ErrorKind::NotFound, "40400", message)
        })
    }

    /// Whether the credential of a request, in its header or in the address of a container, was made
    /// with a key of this hub.
    fn is_signed_for(&self, parts: &Parts, hub: &HubEntry, snapshot: &Snapshot) -> bool {
        match parts.headers.get(AUTHORIZATION).map(|it| it.to_str()) {
            Some(header) => is_signed_with(header.ok(), &self.policies_of(hub, snapshot)),
            None => {
                let query = Query::parse(parts.uri.query().unwrap_or_default());
                self.opens_container(hub, &query)
            }
        }
    }

    /// The policies that requests for a hub may be signed with.
    pub(super) fn policies_of<'a>(
        &self,
        hub: &'a HubEntry,
        snapshot: &'a Snapshot,
    ) -> Policies<'a> {
        let of_namespace = snapshot.namespace(&hub.hub.namespace);
        Policies {
            hub: &hub.policies,
            namespace: of_namespace.map_or(&[], |it| &it.policies),
            namespace_may_send: self.settings().namespace_may_send,
        }
    }
}
