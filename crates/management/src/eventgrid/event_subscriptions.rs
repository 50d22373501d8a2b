//! Calls about event subscriptions, by each of their addresses.

use std::collections::HashMap;

use axum::http::Method;
use kernel::Result;
use serde_json::{Value, json};
use wire::ResourceId;

use super::EventGrid;
use super::address::{Form, Listing, Of, Subscription, no_parent};
use super::catalog;
use super::port::{EventGridProvider, EventSubscription, SYSTEM_TOPICS, TOPICS};
use crate::call::{Answer, Call};
use crate::envelope::{self, GLOBAL};
use crate::fault;
use crate::page::{self, Listed};

impl<P: EventGridProvider> EventGrid<P> {
    /// `GET …/eventSubscriptions`
    pub(super) async fn subscriptions(&self, listing: &Listing, call: &Call) -> Result<Answer> {
        let found = self.provider.event_subscriptions(&listing.within).await?;
        let (form, found) = match &listing.of {
            Of::Scope(form) => {
                self.check_parent(&listing.within).await?;
                let own = found.into_iter().filter(|it| it.scope == listing.within);
                (*form, own.collect())
            }
            Of::Location(place) => (Form::Extension, self.at(place, found, listing).await?),
        };
        page::page(call, found.into_iter().map(|it| Listed::of(shown(it, form))).collect())
    }

    /// Those whose source is in a location, and of a topic type where one is asked for.
    async fn at(
        &self,
        place: &str,
        found: Vec<EventSubscription>,
        listing: &Listing,
    ) -> Result<Vec<EventSubscription>> {
        let topics = self.provider.topics(Some(&listing.within)).await?;
        let topics: HashMap<&str, _> = topics.iter().map(|it| (it.id.key(), it)).collect();
        let types = catalog::topic_types(&self.provider);
        let fits = |it: &EventSubscription| {
            let topic = topics.get(it.scope.key());
            let location = topic.and_then(|topic| topic.envelope.location.as_deref());
            let topic_type = match topic.and_then(|topic| topic.properties["topicType"].as_str()) {
                Some(topic_type) => topic_type.to_owned(),
                None => catalog::topic_type_of(&types, &it.scope),
            };
            let asked = listing.topic_type.as_deref();
            envelope::is_same_location(location.unwrap_or(GLOBAL), place)
                && asked.is_none_or(|asked| topic_type.eq_ignore_ascii_case(asked))
        };
        Ok(found.into_iter().filter(fits).collect())
    }

    /// `GET`, `PUT`, `PATCH` and `DELETE` of one event subscription. Python clients take 201 alone
    /// for PUT and PATCH.
    pub(super) async fn subscription(&self, it: &Subscription, call: &Call) -> Result<Answer> {
        let Subscription { scope, name, form } = it;
        match call.method {
            Method::GET => {
                let found = self.provider.event_subscription(scope, name).await?;
                Ok(Answer::ok(shown(found.ok_or_else(|| missing(it))?, *form)))
            }
            Method::PUT => {
                let properties = call.properties()?;
                self.check_parent(scope).await?;
                let kept = self.provider.put_event_subscription(scope, name, properties).await?;
                Ok(Answer::created(shown(kept, *form)))
            }
            Method::PATCH => {
                let changes = call.object()?.clone();
                let kept = self.provider.update_event_subscription(scope, name, changes).await?;
                Ok(Answer::created(shown(kept.ok_or_else(|| missing(it))?, *form)))
            }
            Method::DELETE => {
                self.provider.delete_event_subscription(scope, name).await?;
                Ok(Answer::no_content())
            }
            _ => Err(fault::method(&call.method, "GET, PUT, PATCH and DELETE")),
        }
    }

    /// `POST …/eventSubscriptions/{name}/getFullUrl`
    pub(super) async fn full_url(&self, it: &Subscription) -> Result<Answer> {
        let url = self.provider.full_url(&it.scope, &it.name).await?;
        let url = url.ok_or_else(|| missing(it))?;
        Ok(Answer::ok(json!({ "endpointUrl": url.expose() })))
    }

    /// `POST …/eventSubscriptions/{name}/getDeliveryAttributes`
    pub(super) async fn delivery_attributes(&self, it: &Subscription) -> Result<Answer> {
        let attributes = self.provider.delivery_attributes(&it.scope, &it.name).await?;
        Ok(Answer::ok(json!({ "value": attributes.ok_or_else(|| missing(it))? })))
    }

    /// Topics must exist before they have event subscriptions; other scopes are the service's to
    /// judge.
    async fn check_parent(&self, scope: &ResourceId) -> Result<()> {
        let is_topic = scope.is_of_type(TOPICS) || scope.is_of_type(SYSTEM_TOPICS);
        match is_topic && self.provider.topic(scope).await?.is_none() {
            true => Err(no_parent(scope)),
            false => Ok(()),
        }
    }
}

fn shown(it: EventSubscription, form: Form) -> Value {
    let EventSubscription { scope, name, envelope, properties } = it;
    let id = Subscription::id(&scope, &name, form);
    envelope.around(id.as_str(), &form.resource_type(), properties)
}

fn missing(it: &Subscription) -> kernel::Error {
    let what = format!("{}/{}' of the scope '{}", it.form.resource_type(), it.name, it.scope);
    fault::not_found(&what, None)
}
