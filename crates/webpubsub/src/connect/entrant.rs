//! Who comes in, and as what: the token's word, then the event handler's.

use std::sync::Arc;

use auth::{Claims, Purpose, Refusal};
use axum::http::header::AUTHORIZATION;
use gateway::ConnectionId;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::Map;

use super::handshake::offered;
use super::{Attempt, bad_request, text};
use crate::hub::{Hub, HubSettings};
use crate::name;
use crate::protocol::Subprotocol;
use crate::resource::Resource;
use crate::upstream::{self, ConnectEvent, ConnectOutcome, ConnectionContext, EventName};

/// A client that may connect.
pub(super) struct Entrant {
    pub(super) user: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) subprotocol: Subprotocol,
    /// The name to agree on, as the client wrote it.
    pub(super) echoed: Option<String>,
    /// What the event handlers know of the connection; `None` where there are none.
    pub(super) context: Option<Arc<ConnectionContext>>,
}

/// What came of the event handler's word.
pub(super) enum Admission {
    Admitted(Box<Entrant>),
    Refused(upstream::Refusal),
}

/// The claims of the client's token; `None` when it brings no token at all.
pub(super) fn claims(attempt: &Attempt<'_>) -> Result<Option<Claims>> {
    let header = text(&attempt.headers, &AUTHORIZATION);
    match auth::client_token(attempt.query.one("access_token"), header) {
        Err(Refusal::Missing) => Ok(None),
        Err(refusal) => Err(refusal.into()),
        Ok(token) => {
            let purpose = Purpose::Client { hub: attempt.hub };
            let claims = attempt.service.verify(&attempt.resource, token, purpose)?;
            claims.groups.iter().try_for_each(|group| {
                name::check_group(group).map_err(|error| {
                    bad_request(format!("The token contains an invalid group name. {error}"))
                })
            })?;
            Ok(Some(claims))
        }
    }
}

/// What a client without a token may do, where the hub lets it in: nothing but send events.
pub(super) fn anonymous(hub: &HubSettings, attempt: &Attempt<'_>) -> Result<Claims> {
    if !hub.anonymous {
        return Err(Refusal::Missing.into());
    }
    tracing::debug!(hub = attempt.hub, "an anonymous client connects");
    Ok(Claims {
        user_id: None,
        roles: Vec::new(),
        groups: Vec::new(),
        expires_at: Timestamp::default(),
        raw: Map::new(),
    })
}

/// Asks the event handler, if one wants to be asked, and settles as what the client comes in.
pub(super) async fn admit(
    attempt: &Attempt<'_>,
    hub: &Hub,
    id: ConnectionId,
    claims: Claims,
) -> Result<Admission> {
    let context = hub.handlers.as_ref().map(|handlers| {
        let keys: Arc<Resource> = Arc::clone(&attempt.resource);
        let user = claims.user_id.as_deref();
        ConnectionContext::new(Arc::clone(handlers), keys, id.as_str(), user)
    });
    let asked = context.as_ref().filter(|context| context.hub().wants(EventName::Connect));
    let grant = match asked {
        None => upstream::Grant::default(),
        Some(context) => {
            let event = ConnectEvent {
                claims: claims.raw.clone(),
                query: attempt.query.pairs().to_vec(),
                headers: attempt.headers.clone(),
                subprotocols: offered(&attempt.headers).map(str::to_owned).collect(),
            };
            match attempt.service.upstream().connect(context, &event).await {
                ConnectOutcome::Accepted(grant) => grant,
                ConnectOutcome::Refused(refusal) => return Ok(Admission::Refused(refusal)),
                ConnectOutcome::Failed(reason) => return Err(unanswered(reason)),
            }
        }
    };
    let (subprotocol, echoed) = settle_subprotocol(attempt, grant.subprotocol);
    Ok(Admission::Admitted(Box::new(Entrant {
        user: grant.user_id.or(claims.user_id),
        roles: grant.roles.unwrap_or(claims.roles),
        groups: grant.groups.unwrap_or(claims.groups),
        subprotocol,
        echoed,
        context,
    })))
}

/// The handler's choice, which may be a name of the application's own, or else ours.
fn settle_subprotocol(
    attempt: &Attempt<'_>,
    chosen: Option<String>,
) -> (Subprotocol, Option<String>) {
    match chosen {
        Some(name) => (Subprotocol::by_name(&name).unwrap_or(Subprotocol::Simple), Some(name)),
        None => attempt.common.clone(),
    }
}

fn unanswered(reason: String) -> Error {
    let message = "The application's event handler gave no usable answer to 'connect', so the \
                   client was not let in. The server's log has the reason under this request's id.";
    Error::new(ErrorKind::Internal, "Error.InternalServerError", message).context(reason)
}
