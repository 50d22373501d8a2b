//! Clients of hubs that come and go, as events of their Web PubSub resource.
//!
//! Azure has no such system topic for Web PubSub. Names and data are those of SignalR's events.

use std::collections::HashMap;
use std::sync::Arc;

use eventgrid::EventGrid;
use eventgrid::system::SystemEvent;
use kernel::{Clock, Timestamp};
use serde::Serialize;
use serde_json::value::to_raw_value;
use webpubsub::{ConnectionObserver, Observed};
use wire::ResourceId;

use super::web_pubsub_id;
use crate::config::Resource;

const CONNECTED: &str = "Microsoft.SignalRService.ClientConnectionConnected";
const DISCONNECTED: &str = "Microsoft.SignalRService.ClientConnectionDisconnected";

/// Hands what Web PubSub tells to Event Grid.
pub(super) struct Clients {
    /// By the resource's name.
    ids: HashMap<String, ResourceId>,
    event_grid: EventGrid,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    timestamp: String,
    hub_name: &'a str,
    connection_id: &'a str,
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

impl Clients {
    pub(super) fn new(
        resources: &[Resource],
        event_grid: EventGrid,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let ids = resources.iter().filter_map(|resource| {
            Some((resource.name.clone(), web_pubsub_id(&resource.name).ok()?))
        });
        Self { ids: ids.collect(), event_grid, clock }
    }
}

impl ConnectionObserver for Clients {
    fn wants(&self, resource: &str) -> bool {
        self.ids.get(resource).is_some_and(|id| self.event_grid.wants(id))
    }

    fn observe(&self, seen: &Observed<'_>) {
        if let Some(id) = self.ids.get(seen.resource) {
            self.event_grid.raise(id, &[event(seen, self.clock.now())]);
        }
    }
}

fn event(seen: &Observed<'_>, now: Timestamp) -> SystemEvent {
    let data = Data {
        timestamp: eventgrid::time_text(now),
        hub_name: seen.hub,
        connection_id: seen.connection,
        user_id: seen.user,
        error_message: seen.gone.map(|close| &*close.reason),
    };
    SystemEvent {
        id: format!("{}-{}", seen.connection, if seen.gone.is_some() { "gone" } else { "come" }),
        subject: format!("/hub/{}", seen.hub),
        event_type: if seen.gone.is_some() { DISCONNECTED } else { CONNECTED },
        time: now,
        data: to_raw_value(&data).expect("texts are JSON"),
    }
}

#[cfg(test)]
mod tests {
    use gateway::Close;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_client_that_goes_says_why() {
        let mut seen = Observed {
            resource: "local",
            hub: "chat",
            connection: "c1",
            user: Some("ann"),
            gone: None,
        };
        let came = event(&seen, Timestamp::from_secs(1_800_000_000));
        assert_eq!((came.event_type, came.subject.as_str()), (CONNECTED, "/hub/chat"));
        let data: Value = serde_json::from_str(came.data.get()).unwrap();
        let expected = json!({ "timestamp": "2027-01-15T08:00:00Z", "hubName": "chat",
            "connectionId": "c1", "userId": "ann" });
        assert_eq!(data, expected);
        let close = Close::new(1000, "bye");
        seen.gone = Some(&close);
        let went = event(&seen, Timestamp::default());
        assert_eq!(went.event_type, DISCONNECTED);
        assert!(went.data.get().contains(r#""errorMessage":"bye""#));
        assert_ne!(went.id, came.id);
    }
}
