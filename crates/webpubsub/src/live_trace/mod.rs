//! Live trace for people at the server: what happens to the connections of a user, or to one, or to all
//! of a hub, as it happens.
//!
//! JSON lines over the admin listener, behind `edge::admin::for_people`. No payload is told. While the
//! connections of a user or one connection are watched, the recorded journeys of messages tell of each
//! of them by name, too; of a whole hub they do not, since that is what they sum up.
//!
//! - `ways`: what is added to the journeys of messages, pure

mod ways;

use std::task::{Context, Poll, ready};

use axum::extract::{Query, State};
use axum::response::Response;
use bytes::Bytes;
use edge::admin::Refusal;
use gateway::{ConnectionId, Happening, LiveTrace, Observation, Watched};
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use self::ways::Ways;
use crate::name::HubName;
use crate::service::WebPubSub;

/// By which journeys name the service.
const SERVICE: &str = "webpubsub";

/// Whom to watch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    resource: Option<String>,
    hub: Option<String>,
    user: Option<String>,
    connection: Option<String>,
}

/// `GET /webpubsub/live-trace?resource=&hub=&user=&connection=`: one JSON object a line, from now on. A
/// reader that is too slow loses lines and is told how many.
pub(crate) async fn live_trace(
    State(service): State<WebPubSub>,
    Query(wanted): Query<Wanted>,
) -> std::result::Result<Response, Refusal> {
    let resource = service.wanted_resource(wanted.resource.as_deref())?;
    let name = HubName::parse(wanted.hub.as_deref().unwrap_or_default())?;
    let watched = wanted.watched()?;
    let hub = service.hub(resource, &name);
    let ways = (watched != Watched::Hub).then(Ways::default);
    let trace = service.backplane().live_trace(hub.id, watched).ok_or_else(|| {
        let message = "As many live traces are being read as there may be. End one of them first.";
        Error::new(ErrorKind::Throttled, "TooManyRequests", message)
    })?;
    let mut telling = Telling { trace, ways };
    Ok(edge::lines::answer(move |context| telling.poll_line(context)))
}

impl Wanted {
    fn watched(&self) -> Result<Watched> {
        let wrong = |message: &str| {
            Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("connection")
        };
        match (self.user.as_deref(), self.connection.as_deref()) {
            (Some(_), Some(_)) => Err(wrong("Name a user or a connection, not both.")),
            (Some(user), None) => Ok(Watched::User(user.into())),
            (None, Some(text)) => ConnectionId::parse(text).map(Watched::Connection).ok_or_else(|| {
                wrong("connection is the id of a connection, as the client and every log tells it.")
            }),
            (None, None) => Ok(Watched::Hub),
        }
    }
}

/// A live trace on its way to somebody.
struct Telling {
    trace: LiveTrace,
    ways: Option<Ways>,
}

impl Telling {
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let missed = self.trace.missed();
        let value = if missed > 0 {
            json!({ "kind": "missed", "lines": missed })
        } else {
            let Some(observation) = ready!(self.trace.poll_next(context)) else {
                return Poll::Ready(None);
            };
            let noted = self.ways.iter_mut().flat_map(|ways| ways.see(&observation));
            noted.for_each(|(journey, note)| journey.note(SERVICE, note));
            told(&observation)
        };
        Poll::Ready(Some(Bytes::from(format!("{value}\n"))))
    }
}

fn told(it: &Observation) -> Value {
    let journey = match &it.happening {
        Happening::Received { journey, .. } => journey.as_ref(),
        _ => None,
    };
    json!({
        "time": rfc_3339(it.at),
        "connection": it.connection.as_str(),
        "user": it.user.as_deref(),
        "kind": it.happening.name(),
        "detail": it.happening.to_string(),
        "journey": journey.map(|it| it.context().trace.to_string()),
    })
}

/// UTC to the millisecond.
fn rfc_3339(time: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    format!("{moment:.3}")
}
