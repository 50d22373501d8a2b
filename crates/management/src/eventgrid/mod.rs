//! `Microsoft.EventGrid`: topics, system topics and event subscriptions.
//!
//! - `port.rs`: what the calls need of the service
//! - `address.rs`: what an address names
//! - `topics.rs`, `event_subscriptions.rs`: the calls
//! - `catalog.rs`: what the provider tells about itself
//!
//! Domains, partner topics and namespaces are not here. Nothing is long-running: whatever a call
//! asks for has happened when it is answered, so SDKs poll for nothing but a manual validation.

mod address;
mod catalog;
mod event_subscriptions;
mod port;
mod topics;

use axum::http::Method;
use kernel::Result;
use wire::ResourceId;

use crate::address::ProviderPath;
use crate::call::{Answer, Call};
use crate::fault;
use crate::namespace::{Namespace, Pending};
use crate::page::{self, Listed};
use address::Named;

pub use port::{
    EventGridProvider, EventSubscription, EventType, SYSTEM_TOPICS, TOPICS, Topic, TopicChanges,
    TopicKey, TopicKeys, TopicRequest, TopicType,
};

/// The namespace, over a provider.
#[derive(Debug)]
pub struct EventGrid<P> {
    provider: P,
}

impl<P: EventGridProvider> EventGrid<P> {
    /// Calls go to `provider`.
    pub fn new(provider: P) -> Self {
        Self { provider }
    }

    async fn call(&self, at: &ProviderPath, call: &Call) -> Result<Answer> {
        let named = Named::read(at)?;
        check_method(&named, &call.method)?;
        match &named {
            Named::Topics(kind, within) => self.topics(*kind, within, call).await,
            Named::Topic(kind, id) => self.topic(*kind, id, call).await,
            Named::ListKeys(topic) => self.list_keys(topic).await,
            Named::RegenerateKey(topic) => self.regenerate_key(topic, call).await,
            Named::Subscriptions(listing) => self.subscriptions(listing, call).await,
            Named::Subscription(it) => self.subscription(it, call).await,
            Named::FullUrl(it) => self.full_url(it).await,
            Named::DeliveryAttributes(it) => self.delivery_attributes(it).await,
            Named::EventTypes(source) => self.event_types(source, call),
            Named::ExtensionTopic(source) => self.extension_topic(source).await,
            Named::Operations => Ok(page::whole(catalog::operations())),
            Named::TopicTypes => {
                let types = catalog::topic_types(&self.provider);
                Ok(page::whole(types.iter().map(TopicType::shown).collect()))
            }
            Named::TopicType(name) => {
                Ok(Answer::ok(catalog::topic_type(&self.provider, name)?.shown()))
            }
            Named::TopicTypeEvents(name) => {
                let events = catalog::topic_type(&self.provider, name)?.shown_event_types();
                page::page(call, events.into_iter().map(Listed::of).collect())
            }
        }
    }
}

/// Actions are POST, lists and what the provider tells are GET; resources judge for themselves.
fn check_method(named: &Named, method: &Method) -> Result<()> {
    let (allowed, name) = match named {
        Named::Topic(..) | Named::Subscription(_) => return Ok(()),
        Named::ListKeys(_)
        | Named::RegenerateKey(_)
        | Named::FullUrl(_)
        | Named::DeliveryAttributes(_) => (Method::POST, "POST"),
        Named::Topics(..)
        | Named::Subscriptions(_)
        | Named::EventTypes(_)
        | Named::ExtensionTopic(_)
        | Named::Operations
        | Named::TopicTypes
        | Named::TopicType(_)
        | Named::TopicTypeEvents(_) => (Method::GET, "GET"),
    };
    if *method == allowed { Ok(()) } else { Err(fault::method(method, name)) }
}

impl<P: EventGridProvider> Namespace for EventGrid<P> {
    fn name(&self) -> &'static str {
        "Microsoft.EventGrid"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &[
            "topics",
            "systemTopics",
            "eventSubscriptions",
            "topicTypes",
            "extensionTopics",
            "operations",
        ]
    }

    fn answer<'a>(&'a self, at: &'a ProviderPath, call: &'a Call) -> Pending<'a, Answer> {
        Box::pin(self.call(at, call))
    }

    fn resources<'a>(&'a self, within: Option<&'a ResourceId>) -> Pending<'a, Vec<ResourceId>> {
        Box::pin(async move {
            let topics = self.provider.topics(within).await?;
            Ok(topics.into_iter().map(|topic| topic.id).collect())
        })
    }
}
