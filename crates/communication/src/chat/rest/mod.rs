//! The REST calls of chat, `/chat/…`. Every call carries a user access token.
//!
//! Handlers are rows of a table: check the caller ([`Call`]), do one thing, say how it went. The
//! statuses are those that the official clients insist on.

mod call;
mod json;
mod messages;
mod participants;
mod threads;

use axum::Router;
use axum::routing::{get, post};

use crate::service::Communication;

pub(crate) fn router(service: Communication) -> Router {
    let at = |rest: &str| format!("/chat/threads/{{thread}}{rest}");
    Router::new()
        // Paths here have segments such as ":add", which an older syntax used for parameters.
        .without_v07_checks()
        .route("/chat/threads", post(threads::create).get(threads::list))
        .route(&at(""), get(threads::get).patch(threads::update).delete(threads::delete))
        .route(&at("/messages"), post(messages::send).get(messages::list))
        .route(
            &at("/messages/{message}"),
            get(messages::get).patch(messages::edit).delete(messages::delete),
        )
        .route(&at("/participants"), get(participants::list))
        .route(&at("/participants/:add"), post(participants::add))
        .route(&at("/participants/:remove"), post(participants::remove))
        .route(&at("/typing"), post(messages::typing))
        .route(&at("/readReceipts"), post(messages::read).get(messages::receipts))
        .with_state(service)
}
