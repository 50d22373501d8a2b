//! Namespaces, hubs, policies and credentials: what management calls and the configuration do.
//!
//! A namespace is there once it has a row or a hub of its name; its policies are kept by name.

use kernel::{Error, ErrorKind, Result, Secret};
use serde_json::{Value, json};

use crate::Platform;
use crate::credential::{Policy, Rights, generate_key};
use crate::pns_credentials::PnsCredentials;
use crate::refusal::{bad_request, not_found, shown};
use crate::registry::HubEntry;
use crate::send::{Format, QUEUE, Send, Tested, To, targets};
use crate::service::NotificationHubs;
use crate::store::{Hub, HubChange, HubKey, NamespaceRow, check_hub_name};

/// The largest name of a namespace.
const MAX_NAMESPACE: usize = 50;

/// What of a hub can be set; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct HubRequest {
    /// What management keeps of it, as JSON without secrets.
    pub document: Option<Value>,
    /// Credentials that are set; others stay.
    pub credentials: Option<PnsCredentials>,
    /// Platforms whose credentials are taken away.
    pub removed: Vec<Platform>,
    /// How long a registration lives without being renewed, in microseconds; `Some(None)` for ever.
    pub registration_ttl: Option<Option<i64>>,
}

/// Which key of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKey {
    /// The one that is shown first.
    Primary,
    /// The spare one.
    Secondary,
}

impl NotificationHubs {
    /// All namespaces, by name.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn namespaces(&self) -> Result<Vec<NamespaceRow>> {
        self.store().namespaces().await
    }

    /// Creates a namespace with its policy, or replaces what is kept of it.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be one.
    pub async fn put_namespace(&self, name: &str, document: &Value) -> Result<NamespaceRow> {
        check_namespace_name(name)?;
        let now = self.now();
        let is_new = !self.namespaces().await?.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        self.store().put_namespace(name, &document.to_string(), now).await?;
        if is_new {
            self.store().put_policy(name, None, &Policy::of_new_namespace(), now).await?;
        }
        self.refresh().await?;
        self.namespace(name).await?.ok_or_else(|| unknown_namespace(name))
    }

    /// A namespace by its name, whatever its case.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn namespace(&self, name: &str) -> Result<Option<NamespaceRow>> {
        let all = self.namespaces().await?;
        Ok(all.into_iter().find(|it| it.name.eq_ignore_ascii_case(name)))
    }

    /// Takes a namespace away with all its hubs; tells whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_namespace(&self, name: &str) -> Result<bool> {
        for hub in self.hubs(name) {
            self.delete_hub(name, &hub.name).await?;
        }
        let deleted = self.store().delete_namespace(name).await?;
        self.refresh().await?;
        Ok(deleted)
    }

    /// The hubs of a namespace, by name.
    pub fn hubs(&self, namespace: &str) -> Vec<Hub> {
        let snapshot = self.snapshot();
        let hubs = snapshot.hubs();
        let of_it = hubs.iter().filter(|it| it.hub.namespace.eq_ignore_ascii_case(namespace));
        of_it.map(|it| it.hub.clone()).collect()
    }

    /// A hub.
    pub fn hub(&self, namespace: &str, name: &str) -> Option<Hub> {
        self.snapshot().hub(namespace, name).map(|it| it.hub.clone())
    }

    /// The credentials of a hub.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn credentials(&self, namespace: &str, name: &str) -> Result<PnsCredentials> {
        let snapshot = self.snapshot();
        let hub = snapshot.hub(namespace, name);
        hub.map(|it| it.credentials.clone()).ok_or_else(|| unknown_hub(name))
    }

    /// Creates a hub with its two policies, or changes it. The second part tells whether it is new.
    ///
    /// # Errors
    /// `Invalid` for a name or a credential that cannot be one; `NotFound` without the namespace.
    pub async fn put_hub(
        &self,
        namespace: &str,
        name: &str,
        request: HubRequest,
    ) -> Result<(Hub, bool)> {
        if self.namespace(namespace).await?.is_none() {
            return Err(unknown_namespace(namespace));
        }
        // Not from the snapshot: another server may have changed the hub a moment ago.
        let old = self.store().hub(namespace, name).await?;
        if old.is_none() {
            self.check_hub_name(name)?;
        }
        let old_credentials =
            old.as_ref().map(|hub| PnsCredentials::parse(hub.credentials.expose()));
        let mut credentials = old_credentials.transpose()?.unwrap_or_default();
        credentials = credentials.without(&request.removed);
        if let Some(changes) = request.credentials {
            changes.check(&self.settings().fcm)?;
            credentials = credentials.merged(changes);
        }
        let document = request.document.map(|it| it.to_string());
        let change = HubChange {
            document: document
                .or_else(|| old.as_ref().map(|it| it.document.clone()))
                .unwrap_or_else(|| json!({}).to_string()),
            credentials: credentials.to_secret(),
            registration_ttl: request
                .registration_ttl
                .unwrap_or_else(|| old.as_ref().and_then(|it| it.registration_ttl)),
        };
        let now = self.now();
        match &old {
            Some(hub) => {
                self.store().update_hub(hub, &change, now).await?;
            }
            None => {
                let policies = Policy::of_new_hub();
                self.store().create_hub(namespace, name, &change, &policies, now).await?;
            }
        }
        self.refresh().await?;
        let hub = self.hub(namespace, name).ok_or_else(|| unknown_hub(name))?;
        Ok((hub, old.is_none()))
    }

    /// Whether a new hub can have this name.
    ///
    /// # Errors
    /// `Invalid` for a name that none can have, or whose paths are another service's.
    pub fn check_hub_name(&self, name: &str) -> Result<()> {
        check_hub_name(name)?;
        let reserved = &self.settings().reserved_hubs;
        if reserved.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            return Err(bad_request(format!(
                "The notification hub name '{}' is reserved: paths of this server that begin with it \
                 belong to another service. Choose another name.",
                shown(name)
            )));
        }
        Ok(())
    }

    /// Takes a hub away with everything in it, and what waits to be sent; tells whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_hub(&self, namespace: &str, name: &str) -> Result<bool> {
        let Some(hub) = self.hub(namespace, name) else { return Ok(false) };
        let deleted = self.store().delete_hub(hub.key).await?;
        let all: Vec<String> = targets(hub.key).collect();
        let cancel = all.iter().flat_map(|target| self.deliveries().cancel(QUEUE, target));
        self.store().db().write(cancel.collect::<Vec<_>>()).await?;
        all.iter().for_each(|target| self.deliveries().cancelled(QUEUE, target));
        self.refresh().await?;
        Ok(deleted)
    }

    /// The policies of a hub, or of the namespace itself.
    ///
    /// # Errors
    /// `NotFound` without the hub or namespace.
    pub fn policies(&self, namespace: &str, hub: Option<&str>) -> Result<Vec<Policy>> {
        let snapshot = self.snapshot();
        match hub {
            Some(name) => {
                let hub = snapshot.hub(namespace, name);
                hub.map(|it| it.policies.clone()).ok_or_else(|| unknown_hub(name))
            }
            None => {
                let found = snapshot.namespace(namespace);
                found.map(|it| it.policies.clone()).ok_or_else(|| unknown_namespace(namespace))
            }
        }
    }

    /// A policy of a hub, or of the namespace itself, by its name, whatever its case.
    ///
    /// # Errors
    /// As [`NotificationHubs::policies`].
    pub fn policy(&self, namespace: &str, hub: Option<&str>, name: &str) -> Result<Option<Policy>> {
        let policies = self.policies(namespace, hub)?;
        Ok(policies.into_iter().find(|it| it.name.eq_ignore_ascii_case(name)))
    }

    /// Creates a policy, or changes what it permits; its keys stay.
    ///
    /// # Errors
    /// `NotFound` without the hub or namespace, `Invalid` for a name that cannot be one.
    pub async fn put_policy(
        &self,
        namespace: &str,
        hub: Option<&str>,
        name: &str,
        rights: Rights,
    ) -> Result<Policy> {
        let old = self.stored_policy(namespace, hub, name).await?;
        let new = Policy::generate(name, rights)?;
        let policy = match old {
            Some(old) => Policy { rights, ..old },
            None => new,
        };
        self.write_policy(namespace, hub, &policy).await?;
        Ok(policy)
    }

    /// Takes a policy away; tells whether it was there.
    ///
    /// # Errors
    /// `NotFound` without the hub or namespace.
    pub async fn delete_policy(
        &self,
        namespace: &str,
        hub: Option<&str>,
        name: &str,
    ) -> Result<bool> {
        let found = self.stored_policy(namespace, hub, name).await?;
        let Some(policy) = found else { return Ok(false) };
        let key = self.hub_key(namespace, hub)?;
        let deleted = self.store().delete_policy(namespace, key, &policy.name).await?;
        self.refresh().await?;
        Ok(deleted)
    }

    /// Replaces a key of a policy by a new one.
    ///
    /// # Errors
    /// `NotFound` without the policy.
    pub async fn regenerate_key(
        &self,
        namespace: &str,
        hub: Option<&str>,
        name: &str,
        which: PolicyKey,
    ) -> Result<Policy> {
        let found = self.stored_policy(namespace, hub, name).await?;
        let mut policy = found.ok_or_else(|| {
            not_found(format!("There is no authorization rule '{}'.", shown(name)))
        })?;
        match which {
            PolicyKey::Primary => policy.primary = generate_key(),
            PolicyKey::Secondary => policy.secondary = generate_key(),
        }
        self.write_policy(namespace, hub, &policy).await?;
        Ok(policy)
    }

    /// As [`NotificationHubs::policy`], but from the store: another server may have changed it.
    async fn stored_policy(
        &self,
        namespace: &str,
        hub: Option<&str>,
        name: &str,
    ) -> Result<Option<Policy>> {
        self.policies(namespace, hub)?;
        let key = self.hub_key(namespace, hub)?;
        let policies = self.store().policies(namespace, key).await?;
        Ok(policies.into_iter().find(|it| it.name.eq_ignore_ascii_case(name)))
    }

    async fn write_policy(
        &self,
        namespace: &str,
        hub: Option<&str>,
        policy: &Policy,
    ) -> Result<()> {
        let key = self.hub_key(namespace, hub)?;
        self.store().put_policy(namespace, key, policy, self.now()).await?;
        self.refresh().await
    }

    fn hub_key(&self, namespace: &str, hub: Option<&str>) -> Result<Option<HubKey>> {
        let key = |name: &str| self.hub(namespace, name).map(|hub| hub.key);
        hub.map(|name| key(name).ok_or_else(|| unknown_hub(name))).transpose()
    }

    /// A test send by management.
    ///
    /// # Errors
    /// As of every send.
    pub async fn debug_send(
        &self,
        namespace: &str,
        hub: &str,
        format: Format,
        tags: Option<String>,
        payload: bytes::Bytes,
    ) -> Result<Tested> {
        let snapshot = self.snapshot();
        let entry: &HubEntry = snapshot.hub(namespace, hub).ok_or_else(|| unknown_hub(hub))?;
        let send = Send {
            format,
            to: To::Audience(tags),
            headers: Default::default(),
            body: payload,
            scheduled: None,
            request_id: None,
        };
        self.test_send(entry, send).await
    }
}

/// Whether a namespace can have this name.
///
/// # Errors
/// `Invalid`, telling the rule.
pub fn check_namespace_name(name: &str) -> Result<()> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if starts && plain && name.len() <= MAX_NAMESPACE {
        return Ok(());
    }
    Err(bad_request(format!(
        "The namespace name '{}' is invalid. A name begins with a letter and has at most \
         {MAX_NAMESPACE} letters, digits and hyphens.",
        shown(name)
    )))
}

/// The connection string of a policy, for an address such as `https://host:port`.
///
/// # Errors
/// When the address is none.
pub fn connection_string(endpoint: &str, policy: &Policy, which: PolicyKey) -> Result<Secret> {
    let endpoint = wire::Endpoint::parse(endpoint)
        .map_err(|_| bad_request("The address of the namespace is no URL."))?;
    let key = match which {
        PolicyKey::Primary => policy.primary.clone(),
        PolicyKey::Secondary => policy.secondary.clone(),
    };
    let string = crate::credential::ConnectionString { endpoint, policy: policy.name.clone(), key };
    Ok(string.build())
}

fn unknown_hub(name: &str) -> Error {
    let message = format!("There is no notification hub '{}'.", shown(name));
    Error::new(ErrorKind::NotFound, "40400", message)
}

fn unknown_namespace(name: &str) -> Error {
    let message = format!("There is no namespace '{}' for notification hubs.", shown(name));
    Error::new(ErrorKind::NotFound, "40402", message)
}
