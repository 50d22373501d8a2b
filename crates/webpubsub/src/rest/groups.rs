//! Operations on groups.

use axum::extract::State;
use axum::http::StatusCode;
use gateway::{Audience, GroupChange, Target};

use super::connections::{close_all, found};
use super::{Answer, Call};
use crate::service::WebPubSub;

/// `HEAD /api/hubs/{hub}/groups/{group}`
pub(super) async fn exists(State(service): State<WebPubSub>, call: Call) -> Answer {
    found(&service, &call, Audience::Group(call.group()?.into())).await
}

/// `POST /api/hubs/{hub}/groups/{group}/:closeConnections`
pub(super) async fn close_connections(State(service): State<WebPubSub>, call: Call) -> Answer {
    close_all(&service, &call, Audience::Group(call.group()?.into())).await
}

/// `PUT /api/hubs/{hub}/groups/{group}/connections/{connectionId}`
pub(super) async fn add_connection(State(service): State<WebPubSub>, call: Call) -> Answer {
    let change = GroupChange::Join(call.group()?.into());
    let id = call.connection().ok_or_else(|| call.no_such_connection())?;
    match service.backplane().regroup(Target::all(call.hub, Audience::Connection(id)), change).await
    {
        0 => Err(call.no_such_connection().into()),
        _ => Ok(StatusCode::OK),
    }
}

/// `DELETE /api/hubs/{hub}/groups/{group}/connections/{connectionId}`
pub(super) async fn remove_connection(State(service): State<WebPubSub>, call: Call) -> Answer {
    let change = GroupChange::Leave(call.group()?.into());
    if let Some(id) = call.connection() {
        service.backplane().regroup(Target::all(call.hub, Audience::Connection(id)), change).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
