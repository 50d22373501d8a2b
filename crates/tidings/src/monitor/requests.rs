//! A layer around the services' routes: each call of an operation becomes a row.
//!
//! Rows have the path, never the query (clients put tokens there), a header or a body.

use std::sync::Arc;

use ::monitor::table::LogTables;
use ::monitor::table::rows::{
    ACSAuthIncomingOperations, ACSChatIncomingOperations, AegPublishFailureLogs,
    WebPubSubConnectivity, WebPubSubHttpRequest, WebPubSubMessaging,
};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;
use edge::{PeerAddr, RequestId};
use eventgrid::EventGrid;
use kernel::{Clock, Timestamp};

use super::call::{Begun, Call, LOCATION, decoded, platform, sdk};
use super::claims::Bearer;
use super::metrics::{self, Metrics};
use super::operations::{self, Operation, Service};
use crate::config::DEVELOPMENT_RESOURCE;
use crate::event_grid::{communication_id, topic_id, web_pubsub_id};

#[derive(Clone)]
pub(super) struct Watch {
    pub tables: LogTables,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub resources: webpubsub::Resources,
    pub event_grid: EventGrid,
}

pub(super) async fn watch(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let Some(operation) = operations::of(method.as_str(), uri.path()) else {
        return next.run(request).await;
    };
    let begun = begun(&request, watch.clock.now());
    let platform = platform(request.headers());
    let resource = watch.resource(operation, &request);
    let response = next.run(request).await;
    let call = Call::answered(begun, &response, watch.clock.now());
    let row = Row { operation, call: &call, resource, platform };
    watch.append(row);
    response
}

fn begun(request: &Request, time: Timestamp) -> Begun {
    let extensions = request.extensions();
    let peer = extensions.get::<PeerAddr>().map(|peer| peer.0.ip().to_string());
    let id = extensions.get::<RequestId>().map(|id| id.as_str().to_owned());
    let template = extensions.get::<MatchedPath>().map(|it| it.as_str().to_owned());
    Begun {
        time,
        method: request.method().clone(),
        uri: request.uri().clone(),
        template: template.unwrap_or_default(),
        peer: peer.unwrap_or_default(),
        id: id.unwrap_or_default(),
        sdk: sdk(request.headers()),
        bearer: Bearer::of(request.headers(), request.uri()),
    }
}

/// All that a row is made of.
struct Row<'a> {
    operation: Operation<'a>,
    call: &'a Call,
    /// The id of the resource that was called.
    resource: String,
    platform: String,
}

impl Watch {
    fn resource(&self, operation: Operation<'_>, request: &Request) -> String {
        let header = request.headers().get(HOST).and_then(|it| it.to_str().ok());
        let host = header.or_else(|| request.uri().host());
        let id = match operation.service {
            Service::WebPubSub | Service::Client => {
                let picked = self.resources.pick(host);
                web_pubsub_id(picked.map_or(DEVELOPMENT_RESOURCE, |it| it.name.as_str()))
            }
            Service::Chat | Service::Identity => communication_id(DEVELOPMENT_RESOURCE),
            Service::Publishing => {
                let name = Some(decoded(operation.subject)).filter(|name| !name.is_empty());
                let known = self.event_grid.topic_of(name.as_deref(), host);
                // A name that cannot be one has no id.
                known.map_or_else(|| topic_id(&name.unwrap_or_default()), Ok)
            }
        };
        id.map(|id| id.to_string()).unwrap_or_default()
    }

    fn append(&self, row: Row<'_>) {
        self.count(&row);
        match row.operation.service {
            Service::WebPubSub => {
                if row.call.status < 400 && row.operation.name.starts_with("SendTo") {
                    self.tables.append(row.message());
                }
                self.tables.append(row.hub_request());
            }
            // Those that are let in are told of by their connection.
            Service::Client if row.call.status >= 400 => self.tables.append(row.refused_client()),
            Service::Client => {}
            Service::Chat => self.tables.append(row.chat()),
            Service::Identity => self.tables.append(row.identity()),
            Service::Publishing if row.call.status >= 400 => {
                self.tables.append(row.publish_failure());
            }
            Service::Publishing => {}
        }
    }
}

impl Watch {
    fn count(&self, row: &Row<'_>) {
        let (name, call) = (metrics::last(&row.resource), row.call);
        match row.operation.service {
            Service::WebPubSub => self.metrics.hub_called(name, &row.operation, call),
            Service::Client => self.metrics.client_asked(name, call.status),
            Service::Chat | Service::Identity => {
                self.metrics.communication_called(&row.operation, call);
            }
            // Names that are no topic are chosen by callers: they must not become series.
            Service::Publishing if call.status == 404 => self.metrics.published("unknown", call),
            Service::Publishing => self.metrics.published(name, call),
        }
    }
}

impl Row<'_> {
    /// The user and the connection that a call to a hub is about.
    fn receiver(&self) -> (String, String) {
        let detail = decoded(self.operation.detail);
        match self.call.begun.uri.path().contains("/users/") {
            true => (detail, String::new()),
            false => (String::new(), detail),
        }
    }

    fn hub_request(&self) -> WebPubSubHttpRequest {
        let Self { operation, call, resource, .. } = self;
        let (user_id, connection_id) = self.receiver();
        WebPubSubHttpRequest {
            time: call.begun.time,
            resource: resource.clone(),
            caller_ip_address: call.begun.peer.clone(),
            level: call.level(),
            location: LOCATION.to_owned(),
            message: call.reason.clone(),
            operation_name: operation.name.to_owned(),
            trace_id: call.begun.id.clone(),
            http_method: call.begun.method.to_string(),
            url: call.path(),
            route_template: call.begun.template.clone(),
            status_code: Some(call.status.into()),
            duration: Some(call.took.as_secs_f64() * 1000.0),
            headers: String::new(),
            hub: decoded(operation.subject),
            user_id,
            connection_id,
        }
    }

    fn message(&self) -> WebPubSubMessaging {
        let Self { operation, call, resource, .. } = self;
        let (user_id, connection_id) = self.receiver();
        WebPubSubMessaging {
            time: call.begun.time,
            resource: resource.clone(),
            caller_ip_address: call.begun.peer.clone(),
            connection_id,
            level: call.level(),
            location: LOCATION.to_owned(),
            message: format!("A message to the hub {} was accepted.", decoded(operation.subject)),
            operation_name: operation.name.to_owned(),
            user_id,
            trace_id: call.begun.id.clone(),
        }
    }

    fn refused_client(&self) -> WebPubSubConnectivity {
        let Self { operation, call, resource, .. } = self;
        let hub = decoded(operation.subject);
        let message = format!(
            "A client was not let into the hub {hub} with status {}: {}",
            call.status, call.reason
        );
        WebPubSubConnectivity {
            time: call.begun.time,
            resource: resource.clone(),
            caller_ip_address: call.begun.peer.clone(),
            connection_id: String::new(),
            level: call.level(),
            location: LOCATION.to_owned(),
            message,
            operation_name: "ConnectionRefused".to_owned(),
            user_id: call.user(),
        }
    }

    fn chat(self) -> ACSChatIncomingOperations {
        let Self { operation, call, resource, platform } = self;
        let thread = Some(decoded(operation.subject)).filter(|thread| !thread.is_empty());
        let of_message = operation.name.ends_with("ChatMessage");
        let message = of_message.then(|| operation.detail.parse().ok()).flatten();
        ACSChatIncomingOperations {
            time: call.begun.time,
            resource,
            operation_name: operation.name.to_owned(),
            correlation_id: call.begun.id.clone(),
            operation_version: version(call),
            category: "ChatOperational".to_owned(),
            result_type: call.result(),
            result_signature: call.status.to_string(),
            result_description: call.reason.clone(),
            duration_ms: call.millis(),
            caller_ip_address: call.begun.peer.clone(),
            level: call.level(),
            uri: call.path(),
            user_id: call.user(),
            chat_thread_id: thread.or_else(|| call.made("threads")).unwrap_or_default(),
            chat_message_id: message
                .or_else(|| call.made("messages").and_then(|id| id.parse().ok())),
            sdk_type: call.begun.sdk.clone(),
            platform_type: platform,
        }
    }

    fn identity(self) -> ACSAuthIncomingOperations {
        let Self { operation, call, resource, platform } = self;
        let granted = call.granted.as_ref();
        let scopes = granted.map(|it| it.scopes.iter().map(String::as_str).collect());
        let identity = granted.map(|it| it.identity.to_string());
        ACSAuthIncomingOperations {
            time: call.begun.time,
            resource,
            operation_name: operation.name.to_owned(),
            correlation_id: call.begun.id.clone(),
            operation_version: version(call),
            category: "AuthOperational".to_owned(),
            result_type: call.result(),
            result_signature: call.status.to_string(),
            result_description: call.reason.clone(),
            duration_ms: call.millis(),
            caller_ip_address: call.begun.peer.clone(),
            level: call.level(),
            uri: call.path(),
            identity: identity.unwrap_or_else(|| decoded(operation.subject)),
            scopes: scopes.unwrap_or_default(),
            sdk_type: call.begun.sdk.clone(),
            platform_type: platform,
        }
    }

    fn publish_failure(self) -> AegPublishFailureLogs {
        let Self { operation, call, resource, .. } = self;
        AegPublishFailureLogs {
            time: call.begun.time,
            resource,
            category: "PublishFailures".to_owned(),
            message: format!(
                "requestUri={}, publishTime={}, status={}, id={}, error={}",
                call.path(),
                eventgrid::time_text(call.begun.time),
                call.status,
                call.begun.id,
                call.reason
            ),
            operation_name: operation.name.to_owned(),
            sub_resource_name: String::new(),
        }
    }
}

/// The version of the interface that was asked for.
fn version(call: &Call) -> String {
    let query = call.begun.uri.query().unwrap_or_default();
    let value = query.split('&').find_map(|part| part.strip_prefix("api-version="));
    value.unwrap_or_default().chars().filter(char::is_ascii_graphic).take(40).collect()
}
