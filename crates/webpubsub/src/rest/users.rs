//! Operations on users: on the connections that a user has at this moment. A user without any is
//! no error, since users are not kept.

use axum::extract::State;
use axum::http::StatusCode;
use gateway::{Audience, GroupChange, Target};

use super::connections::{close_all, found};
use super::{Answer, Call};
use crate::service::WebPubSub;

/// `HEAD /api/hubs/{hub}/users/{userId}`
pub(super) async fn exists(State(service): State<WebPubSub>, call: Call) -> Answer {
    found(&service, &call, user(&call)).await
}

/// `POST /api/hubs/{hub}/users/{userId}/:closeConnections`
pub(super) async fn close_connections(State(service): State<WebPubSub>, call: Call) -> Answer {
    close_all(&service, &call, user(&call)).await
}

/// `PUT /api/hubs/{hub}/users/{userId}/groups/{group}`
pub(super) async fn join(State(service): State<WebPubSub>, call: Call) -> Answer {
    let change = GroupChange::Join(call.group()?.into());
    service.backplane().regroup(Target::all(call.hub, user(&call)), change).await;
    Ok(StatusCode::OK)
}

/// `DELETE /api/hubs/{hub}/users/{userId}/groups/{group}`
pub(super) async fn leave(State(service): State<WebPubSub>, call: Call) -> Answer {
    let change = GroupChange::Leave(call.group()?.into());
    service.backplane().regroup(Target::all(call.hub, user(&call)), change).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/hubs/{hub}/users/{userId}/groups`
pub(super) async fn leave_all_groups(State(service): State<WebPubSub>, call: Call) -> Answer {
    service.backplane().regroup(Target::all(call.hub, user(&call)), GroupChange::LeaveAll).await;
    Ok(StatusCode::NO_CONTENT)
}

fn user(call: &Call) -> Audience {
    Audience::User(call.user().into())
}
