//! `Microsoft.NotificationHubs`: namespaces, notification hubs, authorization rules, credentials.
//!
//! - `port.rs`: what the calls need of the service
//! - `address.rs`: what an address names
//! - `namespaces.rs`, `hubs.rs`, `rules.rs`: the calls
//! - `time_span.rs`: the form of `registrationTtl`
//! - `catalog.rs`: what the provider tells about itself
//!
//! Private endpoints are told as empty lists. What would keep callers out (network rules, a disabled
//! namespace) is refused rather than kept without effect.

mod address;
mod catalog;
mod hubs;
mod namespaces;
mod port;
mod rules;
mod time_span;

use axum::http::Method;
use kernel::{Error, ErrorKind, Result};
use wire::ResourceId;

use crate::address::ProviderPath;
use crate::call::{Answer, Call};
use crate::fault;
use crate::namespace::{Namespace, Pending};
use crate::page;
use address::Named;

pub use port::{
    HUBS, HubNamespace, HubRequest, NAMESPACES, NamespaceRequest, NotificationHub,
    NotificationHubsProvider, Rule, RuleKey, RuleKeys, SentTo, TestOutcome, TestSend,
};

/// The namespace, over a provider.
#[derive(Debug)]
pub struct NotificationHubs<P> {
    provider: P,
}

impl<P: NotificationHubsProvider> NotificationHubs<P> {
    /// Calls go to `provider`.
    pub fn new(provider: P) -> Self {
        Self { provider }
    }

    async fn call(&self, at: &ProviderPath, call: &Call) -> Result<Answer> {
        let named = Named::read(at)?;
        check_method(&named, &call.method)?;
        match &named {
            Named::Operations => Ok(page::whole(catalog::operations())),
            Named::NamespaceAvailability => self.namespace_availability(call).await,
            Named::Namespaces(within) => self.namespaces(within, call).await,
            Named::Namespace(id) => self.namespace(id, call).await,
            Named::NamespaceCredentials(id) => self.namespace_credentials(id).await,
            Named::Private(id) => self.private(id).await,
            Named::HubAvailability(namespace) => self.hub_availability(namespace, call).await,
            Named::Hubs(namespace) => self.hubs(namespace, call).await,
            Named::Hub(id) => self.hub(id, call).await,
            Named::Credentials(hub) => self.credentials(hub).await,
            Named::TestSend(hub) => self.test_send(hub, call).await,
            Named::Rules(owner) => self.rules(owner, call).await,
            Named::Rule(owner, name) => self.rule(owner, name, call).await,
            Named::ListKeys(owner, name) => self.list_keys(owner, name).await,
            Named::RegenerateKeys(owner, name) => self.regenerate_keys(owner, name, call).await,
        }
    }

    /// The namespace that something belongs to.
    async fn parent(&self, namespace: &ResourceId) -> Result<HubNamespace> {
        let found = self.provider.namespace(namespace).await?;
        found.ok_or_else(|| no_parent("namespace", namespace))
    }
}

/// Actions are POST, lists are GET; resources judge for themselves.
fn check_method(named: &Named, method: &Method) -> Result<()> {
    let (allowed, name) = match named {
        Named::Namespace(_) | Named::Hub(_) | Named::Rule(..) => return Ok(()),
        Named::NamespaceAvailability
        | Named::NamespaceCredentials(_)
        | Named::HubAvailability(_)
        | Named::Credentials(_)
        | Named::TestSend(_)
        | Named::ListKeys(..)
        | Named::RegenerateKeys(..) => (Method::POST, "POST"),
        Named::Operations
        | Named::Namespaces(_)
        | Named::Private(_)
        | Named::Hubs(_)
        | Named::Rules(_) => (Method::GET, "GET"),
    };
    if *method == allowed { Ok(()) } else { Err(fault::method(method, name)) }
}

/// The refusal of something that belongs to a resource that does not exist.
fn no_parent(what: &str, parent: &ResourceId) -> Error {
    let message = format!(
        "The {what} '{}' does not exist in resource group '{}', so nothing belongs to it. Create it \
         with PUT on {parent}.",
        parent.name(),
        parent.resource_group().unwrap_or_default(),
    );
    Error::new(ErrorKind::NotFound, "ParentResourceNotFound", message)
}

impl<P: NotificationHubsProvider> Namespace for NotificationHubs<P> {
    fn name(&self) -> &'static str {
        "Microsoft.NotificationHubs"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["namespaces", "namespaces/notificationHubs", "checkNamespaceAvailability", "operations"]
    }

    fn answer<'a>(&'a self, at: &'a ProviderPath, call: &'a Call) -> Pending<'a, Answer> {
        Box::pin(self.call(at, call))
    }

    fn resources<'a>(&'a self, within: Option<&'a ResourceId>) -> Pending<'a, Vec<ResourceId>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            for namespace in self.provider.namespaces(within).await? {
                let hubs = self.provider.hubs(&namespace.id).await?;
                ids.push(namespace.id);
                ids.extend(hubs.into_iter().map(|hub| hub.id));
            }
            Ok(ids)
        })
    }

    /// Clients of 2017-04-01, which are the current ones, read a flat error.
    fn envelope(&self) -> edge::Envelope {
        edge::Envelope::ResourceManagerAndFlat
    }
}
