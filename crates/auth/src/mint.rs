//! Signing new tokens, with the claims that the official SDKs write.

use std::time::Duration;

use kernel::{Secret, Timestamp};
use serde_json::{Map, Value, json};
use wire::Endpoint;

use crate::jwt::sign;
use crate::verify::client_path;

/// What a client token grants.
#[derive(Clone, Copy, Debug)]
pub struct ClientGrant<'a> {
    /// The hub to connect to.
    pub hub: &'a str,
    /// Who connects; `None` for an anonymous user.
    pub user_id: Option<&'a str>,
    /// What the client may do, as in `webpubsub.sendToGroup`.
    pub roles: &'a [String],
    /// The groups that it joins when it connects.
    pub groups: &'a [String],
    /// How long the token can be used to connect.
    pub lifetime: Duration,
}

/// Signs a token that opens client connections to a hub under `endpoint`.
pub fn mint_client_token(
    key: &Secret,
    endpoint: &Endpoint,
    grant: &ClientGrant<'_>,
    now: Timestamp,
) -> Secret {
    let audience = format!("{endpoint}{}", client_path(grant.hub));
    let mut claims = base_claims(audience, grant.lifetime, now);
    if let Some(user_id) = grant.user_id {
        claims.insert("sub".to_owned(), json!(user_id));
    }
    for (name, values) in [("role", grant.roles), ("webpubsub.group", grant.groups)] {
        if !values.is_empty() {
            claims.insert(name.to_owned(), json!(values));
        }
    }
    sign(key, &claims)
}

/// Signs a token for one REST call: `path_and_query` under `endpoint`. Leaving the query out makes a
/// token for every query of that path.
pub fn mint_rest_token(
    key: &Secret,
    endpoint: &Endpoint,
    path_and_query: &str,
    lifetime: Duration,
    now: Timestamp,
) -> Secret {
    sign(key, &base_claims(format!("{endpoint}{path_and_query}"), lifetime, now))
}

fn base_claims(audience: String, lifetime: Duration, now: Timestamp) -> Map<String, Value> {
    let claims = [
        ("aud", Value::String(audience)),
        ("iat", json!(now.as_secs())),
        ("exp", json!((now + lifetime).as_secs())),
    ];
    claims.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
