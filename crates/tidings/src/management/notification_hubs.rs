//! What management calls need of Notification Hubs, over the service.
//!
//! The namespace of the configuration and its hubs are the configuration's: calls read them, but do
//! not delete them or set what it sets, since that would come back at the next start. Other namespaces
//! and hubs are made, changed and deleted by calls.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kernel::{Error, ErrorKind, Result, Timestamp};
use management::Envelope;
use management::notificationhubs::{
    HubNamespace, HubRequest, NAMESPACES, NamespaceRequest, NotificationHub,
    NotificationHubsProvider, Rule, RuleKey, RuleKeys, SentTo, TestOutcome, TestSend,
};
use notificationhubs::control::{self, PolicyKey, check_namespace_name};
use notificationhubs::credential::{
    DEFAULT_FULL, DEFAULT_LISTEN, Policy, ROOT_MANAGE, Right, Rights,
};
use notificationhubs::pns_credentials::PnsCredentials;
use notificationhubs::send::Format;
use notificationhubs::store::{Hub, NamespaceRow};
use notificationhubs::{NotificationHubs, Platform};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::ResourceId;

use crate::config::{Config, DEVELOPMENT_RESOURCE, Mode};
use crate::event_grid::GROUP;

/// The service, as the port wants it.
pub(super) struct NotificationHubsCalls {
    service: NotificationHubs,
    configured: Configured,
    /// Where applications reach the hubs.
    endpoint: String,
}

/// What the configuration defines.
pub(super) struct Configured {
    namespace: String,
    /// Its hubs in lower case, with the platforms whose credentials it gives them.
    hubs: BTreeMap<String, Vec<Platform>>,
}

/// What is kept of a namespace beside its name.
#[derive(Serialize, Deserialize)]
struct NamespaceDocument {
    id: ResourceId,
    location: String,
    tags: BTreeMap<String, String>,
    sku: String,
}

/// What is kept of a hub beside its name.
#[derive(Default, Serialize, Deserialize)]
struct HubDocument {
    location: Option<String>,
    tags: BTreeMap<String, String>,
}

/// The names in an id of a namespace or hub.
struct Names<'a> {
    namespace: &'a str,
    hub: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(id: &'a ResourceId) -> Self {
        // /subscriptions/{id}/resourceGroups/{group}/providers/{provider}/namespaces/{name}/…
        let mut names = id.as_str().split('/').skip(8).step_by(2);
        Self { namespace: names.next().unwrap_or_default(), hub: names.next() }
    }
}

impl Configured {
    /// What `config` defines.
    ///
    /// # Errors
    /// When the credentials of a hub are none.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let wanted = &config.notification_hubs;
        let mut hubs = BTreeMap::new();
        for hub in &wanted.hubs {
            let given = hub.credentials.as_ref().map(|text| PnsCredentials::parse(text.expose()));
            let given = given.transpose()?.map(|it| it.platforms().collect()).unwrap_or_default();
            hubs.insert(hub.name.to_ascii_lowercase(), given);
        }
        if config.mode == Mode::Dev {
            // Its credentials are those of the fake push services, at every start.
            let fakes = vec![Platform::Apple, Platform::FcmV1, Platform::Browser];
            hubs.insert(DEVELOPMENT_RESOURCE.to_owned(), fakes);
        }
        Ok(Self { namespace: wanted.namespace.clone(), hubs })
    }

    fn has_namespace(&self, name: &str) -> bool {
        self.namespace.eq_ignore_ascii_case(name)
    }

    /// The platforms whose credentials it gives to a hub, if the hub is one of its own.
    fn hub(&self, namespace: &str, hub: &str) -> Option<&[Platform]> {
        let own = self.hubs.get(&hub.to_ascii_lowercase()).map(Vec::as_slice);
        own.filter(|_| self.has_namespace(namespace))
    }
}

impl NotificationHubsCalls {
    pub(super) fn new(service: NotificationHubs, configured: Configured, endpoint: String) -> Self {
        Self { service, configured, endpoint }
    }

    /// A namespace as it is shown. The one of the configuration has no document.
    fn namespace_of(&self, row: &NamespaceRow) -> Result<HubNamespace> {
        let document = serde_json::from_str::<NamespaceDocument>(&row.document).ok();
        let NamespaceDocument { id, location, tags, sku } = match document {
            Some(document) => document,
            None => NamespaceDocument {
                id: ResourceId::parse(&format!("{GROUP}/providers/{NAMESPACES}/{}", row.name))?,
                location: management::GLOBAL.to_owned(),
                tags: BTreeMap::new(),
                sku: "Standard".to_owned(),
            },
        };
        let envelope = envelope(Some(location), tags, row.created, row.changed);
        Ok(HubNamespace { id, envelope, sku, endpoint: self.endpoint.clone() })
    }

    /// The namespace of this id, or that of a hub's id. Another group's is none.
    async fn found(&self, id: &ResourceId) -> Result<Option<HubNamespace>> {
        let row = self.service.namespace(Names::of(id).namespace).await?;
        let found = row.map(|row| self.namespace_of(&row)).transpose()?;
        Ok(found.filter(|found| id.is_within(&found.id)))
    }

    /// The hub of this id. Another group's is none.
    async fn found_hub(&self, id: &ResourceId) -> Result<Option<(HubNamespace, Hub)>> {
        let Some(namespace) = self.found(id).await? else { return Ok(None) };
        let Names { namespace: name, hub } = Names::of(id);
        let hub = hub.and_then(|hub| self.service.hub(name, hub));
        Ok(hub.map(|hub| (namespace, hub)))
    }

    async fn has_owner(&self, id: &ResourceId) -> Result<bool> {
        match Names::of(id).hub {
            Some(_) => Ok(self.found_hub(id).await?.is_some()),
            None => Ok(self.found(id).await?.is_some()),
        }
    }

    async fn policy(&self, owner: &ResourceId, name: &str) -> Result<Option<Policy>> {
        if !self.has_owner(owner).await? {
            return Ok(None);
        }
        let Names { namespace, hub } = Names::of(owner);
        self.service.policy(namespace, hub, name).map_err(told)
    }

    fn keys_of(&self, policy: &Policy) -> Result<RuleKeys> {
        let connection =
            |which| control::connection_string(&self.endpoint, policy, which).map_err(told);
        Ok(RuleKeys {
            rule: policy.name.clone(),
            primary: policy.primary.clone(),
            secondary: policy.secondary.clone(),
            primary_connection: connection(PolicyKey::Primary)?,
            secondary_connection: connection(PolicyKey::Secondary)?,
        })
    }
}

impl NotificationHubsProvider for NotificationHubsCalls {
    async fn namespaces(&self, within: Option<&ResourceId>) -> Result<Vec<HubNamespace>> {
        let rows = self.service.namespaces().await?;
        let all = rows.iter().map(|row| self.namespace_of(row)).collect::<Result<Vec<_>>>()?;
        let inside = |it: &HubNamespace| within.is_none_or(|within| it.id.is_within(within));
        Ok(all.into_iter().filter(inside).collect())
    }

    async fn namespace(&self, namespace: &ResourceId) -> Result<Option<HubNamespace>> {
        self.found(namespace).await
    }

    async fn put_namespace(
        &self,
        namespace: &ResourceId,
        request: NamespaceRequest,
    ) -> Result<HubNamespace> {
        let name = namespace.name();
        if self.configured.has_namespace(name) {
            return Err(owned(&format!("The namespace '{name}'")));
        }
        let old = self.found(namespace).await?;
        if old.is_none() && self.service.namespace(name).await?.is_some() {
            let message = format!(
                "The namespace name '{name}' is taken in another resource group. Names of namespaces \
                 are unique on a server; choose another one."
            );
            return Err(Error::new(ErrorKind::Conflict, "NamespaceNotAvailable", message));
        }
        let NamespaceRequest { location, tags, sku } = request;
        let id = old.map_or_else(|| namespace.clone(), |old| old.id);
        let document = json!(NamespaceDocument { id, location, tags, sku });
        let row = self.service.put_namespace(name, &document).await.map_err(told)?;
        self.namespace_of(&row)
    }

    async fn delete_namespace(&self, namespace: &ResourceId) -> Result<bool> {
        if self.found(namespace).await?.is_none() {
            return Ok(false);
        }
        let name = namespace.name();
        if self.configured.has_namespace(name) {
            return Err(owned(&format!("The namespace '{name}'")));
        }
        self.service.delete_namespace(name).await
    }

    async fn is_namespace_available(&self, name: &str) -> Result<bool> {
        Ok(check_namespace_name(name).is_ok() && self.service.namespace(name).await?.is_none())
    }

    async fn hubs(&self, namespace: &ResourceId) -> Result<Vec<NotificationHub>> {
        let Some(namespace) = self.found(namespace).await? else { return Ok(Vec::new()) };
        let hubs = self.service.hubs(namespace.id.name());
        Ok(hubs.iter().map(|hub| hub_of(&namespace, hub)).collect())
    }

    async fn hub(&self, hub: &ResourceId) -> Result<Option<NotificationHub>> {
        Ok(self.found_hub(hub).await?.map(|(namespace, hub)| hub_of(&namespace, &hub)))
    }

    async fn put_hub(&self, hub: &ResourceId, request: HubRequest) -> Result<NotificationHub> {
        let Names { namespace, hub: name } = Names::of(hub);
        let name = name.unwrap_or_default();
        let credentials = PnsCredentials::from_value(&request.credentials).map_err(told)?;
        let removed = PnsCredentials::nulls(&request.credentials);
        let given = self.configured.hub(namespace, name).unwrap_or_default();
        if credentials.platforms().chain(removed.iter().copied()).any(|it| given.contains(&it)) {
            return Err(owned(&format!("A credential of the hub '{name}'")));
        }
        let document = json!(HubDocument { location: Some(request.location), tags: request.tags });
        let ttl = request.registration_ttl.map(|it| i64::try_from(it.as_micros()));
        let change = control::HubRequest {
            document: Some(document),
            credentials: Some(credentials),
            removed,
            // Longer than a number can tell is for ever.
            registration_ttl: Some(ttl.and_then(std::result::Result::ok)),
        };
        let (kept, _) = self.service.put_hub(namespace, name, change).await.map_err(told)?;
        let namespace = self.found(hub).await?;
        let gone =
            || Error::new(ErrorKind::Conflict, "Conflict", "The namespace has been deleted.");
        Ok(hub_of(&namespace.ok_or_else(gone)?, &kept))
    }

    async fn delete_hub(&self, hub: &ResourceId) -> Result<bool> {
        if self.found_hub(hub).await?.is_none() {
            return Ok(false);
        }
        let Names { namespace, hub: name } = Names::of(hub);
        let name = name.unwrap_or_default();
        if self.configured.hub(namespace, name).is_some() {
            return Err(owned(&format!("The notification hub '{name}'")));
        }
        self.service.delete_hub(namespace, name).await
    }

    async fn is_hub_available(&self, namespace: &ResourceId, name: &str) -> Result<bool> {
        let is_free = self.service.hub(namespace.name(), name).is_none();
        Ok(is_free && self.service.check_hub_name(name).is_ok())
    }

    async fn credentials(&self, hub: &ResourceId) -> Result<Option<Value>> {
        let Some((_, hub)) = self.found_hub(hub).await? else { return Ok(None) };
        PnsCredentials::parse(hub.credentials.expose()).map(|it| Some(it.to_value()))
    }

    async fn test_send(&self, hub: &ResourceId, send: TestSend) -> Result<TestOutcome> {
        let Names { namespace, hub } = Names::of(hub);
        let format = Format::parse(Some(&send.format)).map_err(told)?;
        let (tags, payload) = (send.tags, Bytes::from(send.payload));
        let hub = hub.unwrap_or_default();
        let tested = self.service.debug_send(namespace, hub, format, tags, payload).await;
        let tested = tested.map_err(told)?;
        let sent = tested.results.into_iter().map(|it| SentTo {
            platform: it.platform,
            handle: it.handle,
            registration: it.registration_id,
            outcome: it.outcome,
        });
        let (success, failure) = (tested.success, tested.failure);
        Ok(TestOutcome { success, failure, results: sent.collect() })
    }

    async fn rules(&self, owner: &ResourceId) -> Result<Option<Vec<Rule>>> {
        if !self.has_owner(owner).await? {
            return Ok(None);
        }
        let Names { namespace, hub } = Names::of(owner);
        let policies = self.service.policies(namespace, hub).map_err(told)?;
        Ok(Some(policies.iter().map(rule_of).collect()))
    }

    async fn put_rule(&self, owner: &ResourceId, rule: Rule) -> Result<Rule> {
        let Names { namespace, hub } = Names::of(owner);
        let rights: Rights = rule.rights.iter().filter_map(|it| Right::from_name(it)).collect();
        let put = self.service.put_policy(namespace, hub, &rule.name, rights).await;
        put.map(|policy| rule_of(&policy)).map_err(told)
    }

    async fn delete_rule(&self, owner: &ResourceId, name: &str) -> Result<bool> {
        let Names { namespace, hub } = Names::of(owner);
        let is_configured = match hub {
            Some(hub) => self.configured.hub(namespace, hub).is_some(),
            None => self.configured.has_namespace(namespace),
        };
        let defaults = [DEFAULT_LISTEN, DEFAULT_FULL, ROOT_MANAGE];
        if is_configured && defaults.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            return Err(owned(&format!("The rule '{name}'")));
        }
        self.service.delete_policy(namespace, hub, name).await.map_err(told)
    }

    async fn keys(&self, owner: &ResourceId, name: &str) -> Result<Option<RuleKeys>> {
        let policy = self.policy(owner, name).await?;
        policy.map(|policy| self.keys_of(&policy)).transpose()
    }

    async fn regenerate_key(
        &self,
        owner: &ResourceId,
        name: &str,
        which: RuleKey,
    ) -> Result<Option<RuleKeys>> {
        let Some(policy) = self.policy(owner, name).await? else { return Ok(None) };
        let Names { namespace, hub } = Names::of(owner);
        let which = match which {
            RuleKey::Primary => PolicyKey::Primary,
            RuleKey::Secondary => PolicyKey::Secondary,
        };
        let policy = self.service.regenerate_key(namespace, hub, &policy.name, which).await;
        self.keys_of(&policy.map_err(told)?).map(Some)
    }
}

fn envelope(
    location: Option<String>,
    tags: BTreeMap<String, String>,
    created: Timestamp,
    changed: Timestamp,
) -> Envelope {
    Envelope { location, tags, created: Some(created), changed: Some(changed) }
}

fn hub_of(namespace: &HubNamespace, hub: &Hub) -> NotificationHub {
    let document: HubDocument = serde_json::from_str(&hub.document).unwrap_or_default();
    let location = document.location.or_else(|| namespace.envelope.location.clone());
    let ttl = hub.registration_ttl.and_then(|micros| u64::try_from(micros).ok());
    NotificationHub {
        id: namespace.id.child("notificationHubs", &hub.name),
        envelope: envelope(location, document.tags, hub.created, hub.changed),
        registration_ttl: ttl.map(Duration::from_micros),
    }
}

fn rule_of(policy: &Policy) -> Rule {
    let rights = policy.rights.iter().map(Right::as_str).collect();
    Rule { name: policy.name.clone(), rights }
}

fn owned(what: &str) -> Error {
    let message = format!(
        "{what} is defined in the server's configuration ([notification_hubs]), or comes with `tidings \
         dev`; it would be back at the next start. Change it there, or use a namespace and a hub that \
         management calls have made."
    );
    Error::new(ErrorKind::Conflict, "OwnedByConfiguration", message)
}

/// A refusal of the service, whose codes are those of its data plane, as management calls know it.
fn told(error: Error) -> Error {
    let code = match error.kind() {
        ErrorKind::Invalid => "BadRequest",
        ErrorKind::NotFound => "ResourceNotFound",
        ErrorKind::Conflict => "Conflict",
        _ => return error,
    };
    Error::new(error.kind(), code, error.message().to_owned())
}
