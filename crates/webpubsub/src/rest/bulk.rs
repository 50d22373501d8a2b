//! `…/:addToGroups` and `…/:removeFromGroups`: many connections, chosen by a filter, at once. Only
//! connections that exist now are meant; no rule is kept.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use gateway::{Audience, GroupChange, Target};
use kernel::Result;
use serde::Deserialize;

use super::call::{bad_request, receivers};
use super::{Answer, Call};
use crate::name;
use crate::service::WebPubSub;

#[derive(Deserialize)]
struct Order {
    groups: Vec<String>,
    filter: Option<String>,
}

/// `POST /api/hubs/{hub}/:addToGroups`
pub(super) async fn add(State(service): State<WebPubSub>, call: Call, body: Body) -> Answer {
    regroup(&service, &call, body, |group| GroupChange::Join(group.into())).await
}

/// `POST /api/hubs/{hub}/:removeFromGroups`
pub(super) async fn remove(State(service): State<WebPubSub>, call: Call, body: Body) -> Answer {
    regroup(&service, &call, body, |group| GroupChange::Leave(group.into())).await
}

async fn regroup(
    service: &WebPubSub,
    call: &Call,
    body: Body,
    change: impl Fn(&str) -> GroupChange,
) -> Answer {
    let body = edge::body::read(body, call.resource.max_message_bytes).await?;
    let order = parse(&body)?;
    let filter = receivers(order.filter.as_deref())?;
    for group in &order.groups {
        let filter = filter.clone();
        let target = Target { filter, ..Target::all(call.hub, Audience::Everyone) };
        service.backplane().regroup(target, change(group)).await;
    }
    Ok(StatusCode::OK)
}

fn parse(body: &[u8]) -> Result<Order> {
    let order: Order = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        bad_request(format!(
            "The request body must be {{\"groups\":[\"…\"],\"filter\":\"…\"}}; it goes wrong at line \
             {line} column {column}."
        ))
    })?;
    if order.groups.is_empty() {
        return Err(bad_request("At least one group is needed.").target("groups"));
    }
    order.groups.iter().try_for_each(|group| name::check_group(group))?;
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_needed_and_checked_and_the_filter_is_not() {
        let order = parse(br#"{"groups":["a","b"],"filter":null}"#).unwrap();
        assert_eq!((order.groups.len(), order.filter), (2, None));
        for bad in [r#"{"groups":[]}"#, r#"{"groups":[" "]}"#, r#"{"filter":"x"}"#, "[]", ""] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
