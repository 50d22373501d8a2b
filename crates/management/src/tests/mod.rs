//! Whole requests against the router, over an Event Grid and Notification Hubs in memory.

mod eventgrid;
mod fake;
mod fake_hubs;
mod notificationhubs;
mod surroundings;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use wire::Endpoint;

use crate::eventgrid::EventGrid;
use crate::notificationhubs::NotificationHubs;
use crate::{Authority, Management, Namespace};

const GROUP: &str = "/subscriptions/s1/resourceGroups/g1";
const EVENT_GRID: &str = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.EventGrid";

/// A server, and what a caller of it says.
struct Server {
    app: edge::App,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Server {
    fn new() -> Self {
        Self::with(Authority::AnyBearer, Vec::new())
    }

    fn with(authority: Authority, endpoints: Vec<Endpoint>) -> Self {
        let event_grid = EventGrid::new(fake::Fake::default());
        let hubs = NotificationHubs::new(fake_hubs::Fake::default());
        let namespaces: Vec<Arc<dyn Namespace>> = vec![Arc::new(event_grid), Arc::new(hubs)];
        let management = Management::new(authority, namespaces, endpoints);
        Self { app: edge::layer(management.router()) }
    }

    /// A call as an SDK makes it, with a version where the path names none.
    async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = match path.contains("api-version") {
            true => path.to_owned(),
            false => format!("{path}{mark}api-version=2025-02-15"),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:8443")
            .header("authorization", "Bearer development");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.app.handle(request).await.into_parts();
        let bytes = edge::body::read(body, 1_000_000).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, body }
    }
}

impl Reply {
    /// The status and, for a refusal, its code.
    fn outcome(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["error"]["code"].as_str().unwrap_or_default())
    }

    /// The names of a list.
    fn names(&self) -> Vec<&str> {
        let value = self.body["value"].as_array().expect("a list");
        value.iter().map(|item| item["name"].as_str().expect("a name")).collect()
    }
}
