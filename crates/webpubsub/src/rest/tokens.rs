//! `…/:generateToken`: client tokens for callers that cannot sign them themselves.

use std::time::Duration;

use auth::ClientGrant;
use axum::Json;
use axum::extract::State;
use kernel::Result;
use serde_json::{Value, json};

use super::call::bad_request;
use super::{Call, Failure};
use crate::name;
use crate::service::WebPubSub;

/// The lifetime of a token unless another is asked for, in minutes.
const DEFAULT_MINUTES: u32 = 60;

/// `POST /api/hubs/{hub}/:generateToken`
pub(super) async fn generate(
    State(service): State<WebPubSub>,
    call: Call,
) -> std::result::Result<Json<Value>, Failure> {
    check_client_type(call.query.one("clientType"))?;
    let minutes = minutes(call.query.one("minutesToExpire"))?;
    let roles: Vec<String> = call.query.all("role").map(str::to_owned).collect();
    let groups: Vec<String> = call.query.all("group").map(str::to_owned).collect();
    groups.iter().try_for_each(|group| name::check_group(group))?;
    let grant = ClientGrant {
        hub: call.segment("hub"),
        user_id: call.query.one("userId").filter(|user| !user.is_empty()),
        roles: &roles,
        groups: &groups,
        lifetime: Duration::from_secs(u64::from(minutes) * 60),
    };
    let token = service.mint(&call.resource, &grant)?;
    Ok(Json(json!({ "token": token.expose() })))
}

fn minutes(text: Option<&str>) -> Result<u32> {
    match text.map(str::parse) {
        None => Ok(DEFAULT_MINUTES),
        Some(Ok(minutes @ 1..)) => Ok(minutes),
        Some(_) => {
            let message = "Invalid minutesToExpire. It is a whole number of minutes from 1.";
            Err(bad_request(message).target("minutesToExpire"))
        }
    }
}

/// MQTT and Socket.IO clients connect elsewhere, so their tokens would be of no use here.
fn check_client_type(text: Option<&str>) -> Result<()> {
    match text {
        None => Ok(()),
        Some(default) if default.eq_ignore_ascii_case("default") => Ok(()),
        Some(_) => {
            Err(bad_request("Invalid clientType. This server has clients of the type Default.")
                .target("clientType"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifetime_is_whole_minutes_from_one() {
        assert_eq!(minutes(None).unwrap(), 60);
        assert_eq!(minutes(Some("1")).unwrap(), 1);
        assert!(["0", "-1", "x", "1.5"].into_iter().all(|text| minutes(Some(text)).is_err()));
    }
}
