//! What the resource manager needs of Notification Hubs. The program implements it over the service.
//!
//! Ids, envelopes, rights and keys are typed; credentials are JSON as the calls carry them, since only
//! the service knows their kinds. Names compare without regard to case, and a record tells its id as
//! it was created. `namespace` is the id of a namespace, `hub` that of a notification hub, `owner`
//! either of the two.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use kernel::{Result, Secret};
use serde_json::Value;
use wire::ResourceId;

use crate::envelope::Envelope;

/// The type of namespaces.
pub const NAMESPACES: &str = "Microsoft.NotificationHubs/namespaces";
/// The type of notification hubs.
pub const HUBS: &str = "Microsoft.NotificationHubs/namespaces/notificationHubs";

/// A namespace: what notification hubs are in.
#[derive(Clone, Debug)]
pub struct HubNamespace {
    /// As it was created.
    pub id: ResourceId,
    /// Where it is, what is attached to it, and since when.
    pub envelope: Envelope,
    /// `Free`, `Basic` or `Standard`.
    pub sku: String,
    /// Where applications reach its hubs, such as `https://localhost:8443`.
    pub endpoint: String,
}

/// What a caller wants a namespace to be.
#[derive(Clone, Debug)]
pub struct NamespaceRequest {
    /// Where it is to be; never empty.
    pub location: String,
    /// What is attached to it.
    pub tags: BTreeMap<String, String>,
    /// `Free`, `Basic` or `Standard`.
    pub sku: String,
}

/// A notification hub, without its credentials.
#[derive(Clone, Debug)]
pub struct NotificationHub {
    /// As it was created.
    pub id: ResourceId,
    /// Where it is, what is attached to it, and since when.
    pub envelope: Envelope,
    /// How long a registration lives without being renewed; for ever without.
    pub registration_ttl: Option<Duration>,
}

/// What a caller wants a notification hub to be.
#[derive(Clone, Debug)]
pub struct HubRequest {
    /// Where it is to be; never empty.
    pub location: String,
    /// What is attached to it.
    pub tags: BTreeMap<String, String>,
    /// As in [`NotificationHub`].
    pub registration_ttl: Option<Duration>,
    /// Credentials by kind, an object such as `{"apnsCredential": {"properties": {…}}}`. Each replaces
    /// the one of its kind, `null` takes it away, and kinds that are not named stay.
    pub credentials: Value,
}

/// An authorization rule, without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique within its owner.
    pub name: String,
    /// Of `Listen`, `Send` and `Manage`.
    pub rights: Vec<&'static str>,
}

/// The keys of an authorization rule, also as connection strings.
#[derive(Clone, Debug)]
pub struct RuleKeys {
    /// The rule's name as it was created.
    pub rule: String,
    /// The first key.
    pub primary: Secret,
    /// The spare one.
    pub secondary: Secret,
    /// The connection string with the first key.
    pub primary_connection: Secret,
    /// The connection string with the spare key.
    pub secondary_connection: Secret,
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKey {
    /// `PrimaryKey`
    Primary,
    /// `SecondaryKey`
    Secondary,
}

/// A test send, as its call describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSend {
    /// As in the header `ServiceBusNotification-Format`: a platform, or `template`.
    pub format: String,
    /// A tag expression; everyone without.
    pub tags: Option<String>,
    /// What is sent.
    pub payload: String,
}

/// What came of a test send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// Devices that their push service has taken it for.
    pub success: u64,
    /// The others.
    pub failure: u64,
    /// Each device.
    pub results: Vec<SentTo>,
}

/// What came of a test send for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTo {
    /// The platform, or `template` and the platform in the service's words.
    pub platform: String,
    /// The handle's address.
    pub handle: String,
    /// The registration's id.
    pub registration: String,
    /// The outcome as a sentence.
    pub outcome: String,
}

/// Notification Hubs, as the calls see them.
///
/// Every change has taken effect, and is kept, when its future ends well. A refusal goes to the caller
/// as it is. `None` and `false` mean that there is no such thing.
pub trait NotificationHubsProvider: Send + Sync + 'static {
    /// The namespaces of a subscription or resource group, or all, in any order.
    fn namespaces(
        &self,
        within: Option<&ResourceId>,
    ) -> impl Future<Output = Result<Vec<HubNamespace>>> + Send;

    /// One namespace.
    fn namespace(
        &self,
        namespace: &ResourceId,
    ) -> impl Future<Output = Result<Option<HubNamespace>>> + Send;

    /// Creates a namespace with its rule, or replaces what it is.
    fn put_namespace(
        &self,
        namespace: &ResourceId,
        request: NamespaceRequest,
    ) -> impl Future<Output = Result<HubNamespace>> + Send;

    /// Deletes a namespace with its hubs.
    fn delete_namespace(&self, namespace: &ResourceId)
    -> impl Future<Output = Result<bool>> + Send;

    /// Whether a namespace could be created under this name, wherever.
    fn is_namespace_available(&self, name: &str) -> impl Future<Output = Result<bool>> + Send;

    /// The hubs of a namespace, in any order.
    fn hubs(
        &self,
        namespace: &ResourceId,
    ) -> impl Future<Output = Result<Vec<NotificationHub>>> + Send;

    /// One hub.
    fn hub(&self, hub: &ResourceId)
    -> impl Future<Output = Result<Option<NotificationHub>>> + Send;

    /// Creates a hub with its rules, or replaces what it is. Its namespace exists.
    fn put_hub(
        &self,
        hub: &ResourceId,
        request: HubRequest,
    ) -> impl Future<Output = Result<NotificationHub>> + Send;

    /// Deletes a hub with its devices.
    fn delete_hub(&self, hub: &ResourceId) -> impl Future<Output = Result<bool>> + Send;

    /// Whether a hub could be created under this name.
    fn is_hub_available(
        &self,
        namespace: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The credentials of a hub by kind, secrets included.
    fn credentials(&self, hub: &ResourceId) -> impl Future<Output = Result<Option<Value>>> + Send;

    /// Sends to a few devices and waits for the outcomes. The hub exists.
    fn test_send(
        &self,
        hub: &ResourceId,
        send: TestSend,
    ) -> impl Future<Output = Result<TestOutcome>> + Send;

    /// The authorization rules of a namespace or hub, in any order.
    fn rules(&self, owner: &ResourceId) -> impl Future<Output = Result<Option<Vec<Rule>>>> + Send;

    /// Creates a rule, or changes its rights; its keys stay. The owner exists.
    fn put_rule(&self, owner: &ResourceId, rule: Rule)
    -> impl Future<Output = Result<Rule>> + Send;

    /// Deletes a rule.
    fn delete_rule(
        &self,
        owner: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The keys of a rule.
    fn keys(
        &self,
        owner: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<Option<RuleKeys>>> + Send;

    /// Replaces one key of a rule; answers with both.
    fn regenerate_key(
        &self,
        owner: &ResourceId,
        name: &str,
        which: RuleKey,
    ) -> impl Future<Output = Result<Option<RuleKeys>>> + Send;
}
