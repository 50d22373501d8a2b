//! The facts that the playbook judges by, found out in this installation.
//!
//! | module | what |
//! |---|---|
//! | `reach` | opening a WebSocket as a client does, also through a proxy |
//! | `token` | what a token says, and why it is refused |
//! | `chat` | who should have been told, who is in a thread, how clients answer |
//! | `push` | the linked hub, the hubs of this server, pushes that were given up |
//! | `events` | event subscriptions and event handlers |
//! | `records` | failures in the log tables |
//! | `journeys` | where notifications stopped |
//! | `operators` | what the services tell people, asked within the process |
//! | `offline` | what is known without a running server |
//!
//! Nothing is changed by looking. What is measured reaches out: to the endpoints, to hubs and push
//! services, to webhooks that get nothing.

mod chat;
mod events;
mod journeys;
mod offline;
mod operators;
mod push;
mod reach;
mod records;
mod token;

use std::sync::Arc;

use ::monitor::journey::{Journey, Journeys};
use ::monitor::playbook::{
    Answers, Audience, Dead, Doing, Handler, Hub, Link, Membership, Playbook, Probes, Question,
    Reach, Records, Subscription, Token, Unknown,
};
use axum::Router;
use kernel::Clock;
use storage::Db;

use crate::addresses::Listening;
use crate::communication;
use crate::config::Config;
use crate::phones::Phones;
use crate::wiring::{Services, Wired};

pub use offline::without_server;

use operators::Operators;
use reach::Dialer;

/// Everything that a running server can be asked.
struct Installation {
    clock: Arc<dyn Clock>,
    db: Db,
    dialer: Dialer,
    /// What clients are told to connect to.
    endpoints: Vec<String>,
    operators: Operators,
    journeys: Journeys,
    resources: Vec<Wired>,
    communication: communication::Wired,
    phones: Phones,
    web_pubsub: webpubsub::WebPubSub,
    event_grid: eventgrid::EventGrid,
    notification_hubs: notificationhubs::NotificationHubs,
}

/// The playbook of a running server, whose services answer people with `operators`.
///
/// # Errors
/// When the certificate authorities of the machine cannot be used.
pub fn playbook(
    config: &Config,
    listening: Listening,
    db: Db,
    services: &Services,
    operators: Router,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Playbook> {
    let installation = Installation {
        clock: Arc::clone(&clock),
        db,
        dialer: Dialer::new(config, Arc::clone(&clock))?,
        endpoints: endpoints(config, listening),
        operators: Operators::new(operators),
        journeys: services.journeys.kept(),
        resources: services.resources.clone(),
        communication: services.communication.clone(),
        phones: services.phones.clone(),
        web_pubsub: services.web_pubsub.clone(),
        event_grid: services.event_grid.service.clone(),
        notification_hubs: services.notification_hubs.service.clone(),
    };
    Ok(Playbook::new(Arc::new(installation), clock))
}

/// The public endpoints of the configuration; without any, the listeners themselves.
fn endpoints(config: &Config, listening: Listening) -> Vec<String> {
    let public = config.resources.iter().flat_map(|it| it.public_endpoints.iter().cloned());
    let mut all: Vec<String> = public.chain(config.communication.public_endpoint.clone()).collect();
    if all.is_empty() {
        all = listening.https_url().into_iter().chain([listening.http_url()]).collect();
    }
    all.dedup();
    all
}

impl Probes for Installation {
    fn reach<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Reach>> {
        Box::pin(async move {
            let urls = match &question.endpoint {
                Some(given) => std::slice::from_ref(given),
                None => self.endpoints.as_slice(),
            };
            Ok(self.dialer.dial_all(urls, question.proxy.as_deref()).await)
        })
    }

    fn token<'a>(&'a self, question: &'a Question) -> Doing<'a, Option<Token>> {
        Box::pin(self.decoded(question))
    }

    fn audience<'a>(&'a self, question: &'a Question) -> Doing<'a, Audience> {
        Box::pin(self.receivers(question))
    }

    fn membership<'a>(&'a self, question: &'a Question) -> Doing<'a, Option<Membership>> {
        Box::pin(self.member(question))
    }

    fn answers<'a>(&'a self, _: &'a Question) -> Doing<'a, Vec<Answers>> {
        Box::pin(async move { Ok(self.answered()) })
    }

    fn link<'a>(&'a self, _: &'a Question) -> Doing<'a, Link> {
        Box::pin(self.linked())
    }

    fn hubs<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Hub>> {
        Box::pin(self.own_hubs(question))
    }

    fn pushes<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Dead>> {
        Box::pin(self.given_up(question))
    }

    fn subscriptions<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Subscription>> {
        Box::pin(self.event_subscriptions(question))
    }

    fn handlers<'a>(&'a self, _: &'a Question) -> Doing<'a, Vec<Handler>> {
        Box::pin(async move { Ok(self.failing_handlers()) })
    }

    fn records<'a>(
        &'a self,
        question: &'a Question,
        ids: Option<&'a [String]>,
    ) -> Doing<'a, Records> {
        Box::pin(records::read(&self.operators, question.since, ids))
    }

    fn journeys<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Journey>> {
        Box::pin(journeys::read(&self.journeys, question, self.clock.now()))
    }
}

/// A service that did not answer.
fn unknown(error: &kernel::Error) -> Unknown {
    let context = error.operator_context().map_or_else(String::new, |it| format!(" ({it})"));
    Unknown::new(format!("It could not be read: {error}{context}"), "Look at the server's log.")
}
