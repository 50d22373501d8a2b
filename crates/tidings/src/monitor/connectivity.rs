//! Clients that come and go, as rows of `WebPubSubConnectivity`, and what they publish, as rows of
//! `WebPubSubMessaging`.

use std::sync::Arc;

use ::monitor::cause;
use ::monitor::table::LogTables;
use ::monitor::table::rows::{WebPubSubConnectivity, WebPubSubMessaging};
use gateway::Close;
use kernel::{Cause, Clock, Timestamp};
use webpubsub::message::Sent;
use webpubsub::session::Ending;
use webpubsub::{ConnectionObserver, Observed};

use super::call::LOCATION;
use super::metrics::Metrics;
use crate::event_grid::web_pubsub_id;

/// Writes rows, then tells the next one.
pub(super) struct Connectivity {
    pub tables: LogTables,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    pub next: Arc<dyn ConnectionObserver>,
}

impl ConnectionObserver for Connectivity {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn wants_messages(&self, now: Timestamp) -> bool {
        self.tables.has_room::<WebPubSubMessaging>(now)
    }

    fn observe(&self, seen: &Observed<'_>) {
        match seen.gone {
            None => self.metrics.client_came(seen.resource),
            Some(close) => self.metrics.client_went(seen.resource, Ending::of(close)),
        }
        let (operation, level) = operation(seen.gone);
        let message = match seen.gone {
            None => format!("A client has connected to the hub {}.", seen.hub),
            Some(close) if close.reason.is_empty() => {
                format!("A client of the hub {} has gone.", seen.hub)
            }
            Some(close) => format!("A client of the hub {} has gone: {}", seen.hub, close.reason),
        };
        self.tables.append(WebPubSubConnectivity {
            time: self.clock.now(),
            resource: resource(seen.resource),
            connection_id: seen.connection.to_owned(),
            level: level.to_owned(),
            location: LOCATION.to_owned(),
            message: cause::told(message, seen.gone.and_then(cause_of)),
            operation_name: operation.to_owned(),
            user_id: seen.user.unwrap_or_default().to_owned(),
            ..WebPubSubConnectivity::default()
        });
        if self.next.wants(seen.resource) {
            self.next.observe(seen);
        }
    }

    fn observe_message(&self, seen: &Observed<'_>, sent: &Sent) {
        let (operation, to) = match sent.to_group {
            true => ("SendToGroup", "the group"),
            false => ("SendEvent", "the event handler as the event"),
        };
        let bytes = sent.bytes;
        let what = format!("{bytes} bytes to {to} {} of the hub {}", sent.name, seen.hub);
        let (level, message) = match &sent.refused {
            None => ("Informational", format!("A client has sent {what}.")),
            Some(why) => ("Warning", format!("A client may not send {what}: {why}")),
        };
        self.tables.append(WebPubSubMessaging {
            time: self.clock.now(),
            resource: resource(seen.resource),
            connection_id: seen.connection.to_owned(),
            level: level.to_owned(),
            location: LOCATION.to_owned(),
            message,
            operation_name: operation.to_owned(),
            user_id: seen.user.unwrap_or_default().to_owned(),
            ..WebPubSubMessaging::default()
        });
    }
}

fn resource(name: &str) -> String {
    web_pubsub_id(name).map(|id| id.to_string()).unwrap_or_default()
}

/// Why a client has gone, as far as it is told apart from others.
fn cause_of(close: &Close) -> Option<Cause> {
    /// The close code of a message beyond the limit.
    const TOO_LARGE: u16 = 1009;
    match Ending::of(close) {
        Ending::SlowClient => Some(Cause::SlowReceiver),
        Ending::Throttled => Some(Cause::LimitHit),
        Ending::BadRequest if close.code == TOO_LARGE => Some(Cause::LimitHit),
        _ => None,
    }
}

/// The operation and level of a client's coming or going. One that says goodbye, or whose application
/// ends it, has ended as expected.
fn operation(gone: Option<&Close>) -> (&'static str, &'static str) {
    match gone {
        None => ("ConnectionStarted", "Informational"),
        Some(close) if Ending::of(close).is_expected() => ("ConnectionEnded", "Informational"),
        Some(_) => ("ConnectionAborted", "Warning"),
    }
}
