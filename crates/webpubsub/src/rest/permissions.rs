//! `…/permissions/{permission}/connections/{connectionId}`: what one live connection may do.
//!
//! Without a target name the permission is for all groups; sources disagree on whether one must be
//! there, so both forms are taken.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::{Error, ErrorKind, Result};

use super::call::bad_request;
use super::{Answer, Call};
use crate::name;
use crate::role::Permission;
use crate::service::WebPubSub;
use crate::session::{Instruction, PermissionQuestion, Verb};

/// `PUT /api/hubs/{hub}/permissions/{permission}/connections/{connectionId}`
pub(super) async fn grant(State(service): State<WebPubSub>, call: Call) -> Answer {
    match ask(&service, &call, Verb::Grant).await? {
        None => Err(call.no_such_connection().into()),
        Some(true) => Ok(StatusCode::OK),
        Some(false) => Err(too_many_rules().into()),
    }
}

/// `DELETE /api/hubs/{hub}/permissions/{permission}/connections/{connectionId}`
pub(super) async fn revoke(State(service): State<WebPubSub>, call: Call) -> Answer {
    match ask(&service, &call, Verb::Revoke).await? {
        Some(false) => Err(too_many_rules().into()),
        // A connection that is gone may do nothing any more.
        None | Some(true) => Ok(StatusCode::NO_CONTENT),
    }
}

/// `HEAD /api/hubs/{hub}/permissions/{permission}/connections/{connectionId}`
pub(super) async fn check(State(service): State<WebPubSub>, call: Call) -> Answer {
    match ask(&service, &call, Verb::Check).await? {
        Some(true) => Ok(StatusCode::OK),
        Some(false) | None => Ok(StatusCode::NOT_FOUND),
    }
}

async fn ask(service: &WebPubSub, call: &Call, verb: Verb) -> Result<Option<bool>> {
    let permission = Permission::parse(call.segment("permission")).ok_or_else(|| {
        bad_request("Invalid permission. It is sendToGroup or joinLeaveGroup.").target("permission")
    })?;
    let Some(id) = call.connection() else { return Ok(None) };
    let group = call.query.one("targetName").filter(|name| !name.is_empty());
    group.map(name::check_group).transpose()?;
    let group = group.map(Into::into);
    let question = PermissionQuestion { verb, permission, group };
    let instruction = Box::new(Instruction::Permission(question));
    Ok(service.backplane().instruct(call.hub, id, instruction).await)
}

fn too_many_rules() -> Error {
    let message = "This connection has 1000 rules about single groups for this permission already. \
                   Revoke some, or give it a role with a wildcard when it connects.";
    Error::new(ErrorKind::Conflict, "Error.Conflict", message).target("targetName")
}
