//! The rate limits that Azure publishes, by operation. Pure.

use std::time::Duration;

use axum::http::Method;

use crate::throttle::{Limit, Scope};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const HALF_MINUTE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// An operation with its limits.
#[derive(Debug)]
pub(crate) struct Operation {
    /// As the real service names it in its logs.
    pub(crate) name: &'static str,
    method: Method,
    /// As the router has it.
    route: &'static str,
    pub(crate) limits: &'static [Limit],
}

impl Operation {
    /// The operation of a route; none for one that is not limited.
    pub(crate) fn of(method: &Method, route: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|it| it.method == *method && it.route == route)
    }
}

const OPERATIONS: &[Operation] = &[
    row("CreateIdentity", Method::POST, "/identities", PER_RESOURCE),
    row("CreateToken", Method::POST, "/identities/{id}/:issueAccessToken", PER_RESOURCE),
    row("RevokeToken", Method::POST, "/identities/{id}/:revokeAccessTokens", PER_RESOURCE_SELDOM),
    row("DeleteIdentity", Method::DELETE, "/identities/{id}", PER_RESOURCE_SELDOM),
    row("CreateChatThread", Method::POST, "/chat/threads", PER_USER),
    row("ListChatThreads", Method::GET, "/chat/threads", READ_PER_USER),
    row("GetChatThread", Method::GET, "/chat/threads/{thread}", READ_PER_USER),
    row("UpdateChatThread", Method::PATCH, "/chat/threads/{thread}", UPDATE),
    row("DeleteChatThread", Method::DELETE, "/chat/threads/{thread}", PER_USER),
    row("SendChatMessage", Method::POST, "/chat/threads/{thread}/messages", WRITE),
    row("ListChatMessages", Method::GET, "/chat/threads/{thread}/messages", LIST_MESSAGES),
    row("GetChatMessage", Method::GET, "/chat/threads/{thread}/messages/{message}", READ),
    row("UpdateChatMessage", Method::PATCH, "/chat/threads/{thread}/messages/{message}", WRITE),
    row("DeleteChatMessage", Method::DELETE, "/chat/threads/{thread}/messages/{message}", WRITE),
    row("ListChatThreadParticipants", Method::GET, "/chat/threads/{thread}/participants", LIST),
    row(
        "AddChatThreadParticipants",
        Method::POST,
        "/chat/threads/{thread}/participants/:add",
        WRITE,
    ),
    row(
        "RemoveChatThreadParticipant",
        Method::POST,
        "/chat/threads/{thread}/participants/:remove",
        WRITE,
    ),
    row("SendTypingIndicator", Method::POST, "/chat/threads/{thread}/typing", TYPING),
    row("SendReadReceipt", Method::POST, "/chat/threads/{thread}/readReceipts", RECEIPT),
    row("GetReadReceipts", Method::GET, "/chat/threads/{thread}/readReceipts", LIST_RECEIPTS),
];

const PER_RESOURCE: &[Limit] = &[limit(Scope::Caller, 1_000, HALF_MINUTE)];
const PER_RESOURCE_SELDOM: &[Limit] = &[limit(Scope::Caller, 500, HALF_MINUTE)];
const PER_USER: &[Limit] = &[limit(Scope::Caller, 10, TEN_SECONDS)];
const READ_PER_USER: &[Limit] = &[limit(Scope::Caller, 50, TEN_SECONDS)];
const UPDATE: &[Limit] = &[limit(Scope::Thread, 5, TEN_SECONDS)];
const WRITE: &[Limit] = &[limit(Scope::Thread, 10, TEN_SECONDS), limit(Scope::Thread, 30, MINUTE)];
const READ: &[Limit] =
    &[limit(Scope::CallerInThread, 50, TEN_SECONDS), limit(Scope::Thread, 250, TEN_SECONDS)];
const LIST_MESSAGES: &[Limit] = &[
    limit(Scope::CallerInThread, 50, TEN_SECONDS),
    limit(Scope::Thread, 250, TEN_SECONDS),
    limit(Scope::CallerInThread, 200, MINUTE),
    limit(Scope::Thread, 400, MINUTE),
];
const LIST: &[Limit] =
    &[limit(Scope::CallerInThread, 10, TEN_SECONDS), limit(Scope::Thread, 250, TEN_SECONDS)];
const LIST_RECEIPTS: &[Limit] =
    &[limit(Scope::CallerInThread, 5, TEN_SECONDS), limit(Scope::Thread, 100, TEN_SECONDS)];
const RECEIPT: &[Limit] =
    &[limit(Scope::CallerInThread, 10, TEN_SECONDS), limit(Scope::CallerInThread, 30, MINUTE)];
const TYPING: &[Limit] = &[
    limit(Scope::CallerInThread, 5, TEN_SECONDS),
    limit(Scope::CallerInThread, 15, MINUTE),
    limit(Scope::Thread, 10, TEN_SECONDS),
    limit(Scope::Thread, 30, MINUTE),
];

const fn row(
    name: &'static str,
    method: Method,
    route: &'static str,
    limits: &'static [Limit],
) -> Operation {
    Operation { name, method, route, limits }
}

const fn limit(scope: Scope, requests: u32, window: Duration) -> Limit {
    Limit { scope, requests, window }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_operation_has_a_name_of_its_own_and_is_found_by_its_route() {
        let names: HashSet<&str> = OPERATIONS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        let sending = Operation::of(&Method::POST, "/chat/threads/{thread}/messages").unwrap();
        assert_eq!((sending.name, sending.limits.len()), ("SendChatMessage", 2));
        assert!(Operation::of(&Method::GET, "/access/.well-known/jwks.json").is_none());
    }
}
