//! Notification Hubs in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use serde_json::{Map, Value};
use wire::ResourceId;

use crate::Envelope;
use crate::notificationhubs::{
    HubNamespace, HubRequest, NamespaceRequest, NotificationHub, NotificationHubsProvider, Rule,
    RuleKey, RuleKeys, SentTo, TestOutcome, TestSend,
};

/// Hubs by key, with their credentials.
type Hubs = BTreeMap<String, (NotificationHub, Map<String, Value>)>;
/// Rules by the keys of owner and name, with the numbers of their keys.
type Rules = BTreeMap<(String, String), (Rule, [u32; 2])>;

/// Namespaces by key, hubs, rules.
#[derive(Default)]
pub(super) struct Fake {
    namespaces: Mutex<BTreeMap<String, HubNamespace>>,
    hubs: Mutex<Hubs>,
    rules: Mutex<Rules>,
}

fn envelope(location: String, tags: BTreeMap<String, String>) -> Envelope {
    let at = Some(Timestamp::from_secs(0));
    Envelope { location: Some(location), tags, created: at, changed: at }
}

fn at(owner: &ResourceId, name: &str) -> (String, String) {
    (owner.key().to_owned(), name.to_ascii_lowercase())
}

impl NotificationHubsProvider for Fake {
    async fn namespaces(&self, within: Option<&ResourceId>) -> Result<Vec<HubNamespace>> {
        let all = self.namespaces.lock().unwrap();
        let inside = |it: &&HubNamespace| within.is_none_or(|within| it.id.is_within(within));
        Ok(all.values().filter(inside).cloned().collect())
    }

    async fn namespace(&self, namespace: &ResourceId) -> Result<Option<HubNamespace>> {
        Ok(self.namespaces.lock().unwrap().get(namespace.key()).cloned())
    }

    async fn put_namespace(
        &self,
        namespace: &ResourceId,
        request: NamespaceRequest,
    ) -> Result<HubNamespace> {
        if namespace.name() == "configured" {
            let message = "It is the configuration's.";
            return Err(Error::new(ErrorKind::Conflict, "OwnedByConfiguration", message));
        }
        let NamespaceRequest { location, tags, sku } = request;
        let (id, endpoint) = (namespace.clone(), "https://localhost:8443".to_owned());
        let made = HubNamespace { id, envelope: envelope(location, tags), sku, endpoint };
        self.namespaces.lock().unwrap().insert(namespace.key().to_owned(), made.clone());
        let rights = vec!["Listen", "Manage", "Send"];
        let rule = Rule { name: "RootManageSharedAccessKey".to_owned(), rights };
        self.put_rule(namespace, rule).await?;
        Ok(made)
    }

    async fn delete_namespace(&self, namespace: &ResourceId) -> Result<bool> {
        self.hubs.lock().unwrap().retain(|_, (hub, _)| !hub.id.is_within(namespace));
        Ok(self.namespaces.lock().unwrap().remove(namespace.key()).is_some())
    }

    async fn is_namespace_available(&self, name: &str) -> Result<bool> {
        let all = self.namespaces.lock().unwrap();
        Ok(!all.values().any(|it| it.id.name().eq_ignore_ascii_case(name)))
    }

    async fn hubs(&self, namespace: &ResourceId) -> Result<Vec<NotificationHub>> {
        let all = self.hubs.lock().unwrap();
        let inside = all.values().filter(|(hub, _)| hub.id.is_within(namespace));
        Ok(inside.map(|(hub, _)| hub.clone()).collect())
    }

    async fn hub(&self, hub: &ResourceId) -> Result<Option<NotificationHub>> {
        Ok(self.hubs.lock().unwrap().get(hub.key()).map(|(hub, _)| hub.clone()))
    }

    async fn put_hub(&self, hub: &ResourceId, request: HubRequest) -> Result<NotificationHub> {
        let HubRequest { location, tags, registration_ttl, credentials } = request;
        let mut all = self.hubs.lock().unwrap();
        let mut kept = all.remove(hub.key()).map(|(_, kept)| kept).unwrap_or_default();
        kept.extend(credentials.as_object().unwrap().clone());
        kept.retain(|_, value| !value.is_null());
        let envelope = envelope(location, tags);
        let made = NotificationHub { id: hub.clone(), envelope, registration_ttl };
        all.insert(hub.key().to_owned(), (made.clone(), kept));
        Ok(made)
    }

    async fn delete_hub(&self, hub: &ResourceId) -> Result<bool> {
        Ok(self.hubs.lock().unwrap().remove(hub.key()).is_some())
    }

    async fn is_hub_available(&self, namespace: &ResourceId, name: &str) -> Result<bool> {
        let id = namespace.child("notificationHubs", name);
        Ok(!self.hubs.lock().unwrap().contains_key(id.key()))
    }

    async fn credentials(&self, hub: &ResourceId) -> Result<Option<Value>> {
        let all = self.hubs.lock().unwrap();
        Ok(all.get(hub.key()).map(|(_, kept)| Value::Object(kept.clone())))
    }

    /// One device, which tells what was asked.
    async fn test_send(&self, _hub: &ResourceId, send: TestSend) -> Result<TestOutcome> {
        let sent = SentTo {
            platform: send.format,
            handle: send.payload,
            registration: send.tags.unwrap_or_default(),
            outcome: "sent".to_owned(),
        };
        Ok(TestOutcome { success: 1, failure: 0, results: vec![sent] })
    }

    async fn rules(&self, owner: &ResourceId) -> Result<Option<Vec<Rule>>> {
        let exists = self.namespaces.lock().unwrap().contains_key(owner.key())
            || self.hubs.lock().unwrap().contains_key(owner.key());
        let all = self.rules.lock().unwrap();
        let own = all.iter().filter(|((of, _), _)| of == owner.key());
        Ok(exists.then(|| own.map(|(_, (rule, _))| rule.clone()).collect()))
    }

    async fn put_rule(&self, owner: &ResourceId, rule: Rule) -> Result<Rule> {
        let mut all = self.rules.lock().unwrap();
        let keys = all.get(&at(owner, &rule.name)).map_or([1, 1], |(_, keys)| *keys);
        all.insert(at(owner, &rule.name), (rule.clone(), keys));
        Ok(rule)
    }

    async fn delete_rule(&self, owner: &ResourceId, name: &str) -> Result<bool> {
        Ok(self.rules.lock().unwrap().remove(&at(owner, name)).is_some())
    }

    async fn keys(&self, owner: &ResourceId, name: &str) -> Result<Option<RuleKeys>> {
        let all = self.rules.lock().unwrap();
        Ok(all.get(&at(owner, name)).map(|(rule, [one, two])| RuleKeys {
            rule: rule.name.clone(),
            primary: Secret::new(format!("primary-{one}")),
            secondary: Secret::new(format!("secondary-{two}")),
            primary_connection: Secret::new(format!("Endpoint=sb://h/;SharedAccessKey={one}")),
            secondary_connection: Secret::new(format!("Endpoint=sb://h/;SharedAccessKey={two}")),
        }))
    }

    async fn regenerate_key(
        &self,
        owner: &ResourceId,
        name: &str,
        which: RuleKey,
    ) -> Result<Option<RuleKeys>> {
        if let Some((_, keys)) = self.rules.lock().unwrap().get_mut(&at(owner, name)) {
            keys[usize::from(which == RuleKey::Secondary)] += 1;
        }
        self.keys(owner, name).await
    }
}
