//! Operations on single connections, and on all of a hub.

use axum::extract::State;
use axum::http::StatusCode;
use gateway::{Audience, Close, GroupChange, Target};

use super::{Answer, Call};
use crate::service::WebPubSub;

/// `POST /api/hubs/{hub}/:closeConnections`
pub(super) async fn close_everyone(State(service): State<WebPubSub>, call: Call) -> Answer {
    close_all(&service, &call, Audience::Everyone).await
}

/// `HEAD /api/hubs/{hub}/connections/{connectionId}`
pub(super) async fn exists(State(service): State<WebPubSub>, call: Call) -> Answer {
    match call.connection() {
        Some(id) => found(&service, &call, Audience::Connection(id)).await,
        None => Ok(StatusCode::NOT_FOUND),
    }
}

/// `DELETE /api/hubs/{hub}/connections/{connectionId}`
pub(super) async fn close(State(service): State<WebPubSub>, call: Call) -> Answer {
    match call.connection() {
        Some(id) => close_all(&service, &call, Audience::Connection(id)).await,
        None => Ok(StatusCode::NO_CONTENT),
    }
}

/// `DELETE /api/hubs/{hub}/connections/{connectionId}/groups`
pub(super) async fn leave_all_groups(State(service): State<WebPubSub>, call: Call) -> Answer {
    if let Some(id) = call.connection() {
        let audience = Audience::Connection(id);
        service.backplane().regroup(Target::all(call.hub, audience), GroupChange::LeaveAll).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether an audience has any connection, as a status.
pub(super) async fn found(service: &WebPubSub, call: &Call, audience: Audience) -> Answer {
    let exists = service.backplane().exists(call.hub, audience).await;
    Ok(if exists { StatusCode::OK } else { StatusCode::NOT_FOUND })
}

/// Closes an audience with the caller's reason; nobody there is fine.
pub(super) async fn close_all(service: &WebPubSub, call: &Call, audience: Audience) -> Answer {
    let reason = call.query.one("reason").filter(|reason| !reason.is_empty());
    let close = Close::new(1000, reason.unwrap_or("Closed by REST API."));
    service.backplane().close(call.target(audience)?, close).await;
    Ok(StatusCode::NO_CONTENT)
}
