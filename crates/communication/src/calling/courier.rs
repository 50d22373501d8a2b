//! Callbacks on their way: those of one connection in order, one after another.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::{Courier, Deliveries, Doing, NewDelivery, Parcel, Plan, Queue, Schedule, Verdict};
use edge::outbound::{Limits, Outbound};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Uri};
use kernel::milestone::{Note, Outcome, Stage};
use kernel::{Secret, journey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attestation::Attestation;

/// The queue of callbacks; a target is the origin that they go to.
pub const QUEUE: &str = "call-callbacks";

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), header_bytes: 16 * 1024, body_bytes: 16 * 1024 };
/// A callback about a call that nobody has heard of for so long helps nobody.
const WORTH: Duration = Duration::from_mins(10);
const ATTEMPTS: u32 = 12;

/// What is told, to whom.
#[derive(Deserialize, Serialize)]
pub(super) struct Letter {
    pub(super) uri: String,
    pub(super) body: Value,
    /// The immutable id of the resource, for which the callback is signed.
    #[serde(default)]
    pub(super) audience: String,
}

/// One callback for the queue.
pub(super) fn delivery(deliveries: &Deliveries, connection: &str, letter: &Letter) -> NewDelivery {
    NewDelivery {
        id: deliveries.next_id(),
        queue: QUEUE,
        target: origin(&letter.uri),
        order_key: Some(connection.to_owned()),
        payload: serde_json::to_vec(letter).expect("a callback is JSON"),
        not_before: None,
        time_to_live: WORTH,
        max_attempts: ATTEMPTS,
    }
}

fn origin(uri: &str) -> String {
    let parsed: Option<Uri> = uri.parse().ok();
    let origin = parsed.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    origin.map_or_else(String::new, |(scheme, authority)| format!("{scheme}://{authority}"))
}

/// The queue for the driver of the deliveries.
pub(super) fn queue(outbound: Outbound, attestation: Attestation) -> Queue {
    let delays = [1, 2, 5, 10, 30, 60].map(Duration::from_secs);
    Queue {
        name: QUEUE,
        schedule: Schedule::new(delays, Duration::from_millis(500)),
        courier: Arc::new(CallbackCourier { outbound, attestation }),
    }
}

struct CallbackCourier {
    outbound: Outbound,
    attestation: Attestation,
}

impl CallbackCourier {
    async fn deliver(&self, payload: &[u8]) -> Verdict {
        let Ok(letter) = serde_json::from_slice::<Letter>(payload) else {
            return refused("Unreadable", "the work was written by another version".to_owned());
        };
        let token = match self.attestation.token(&letter.audience) {
            Ok(token) => token,
            Err(error) => return retry("NoKey", error.message().to_owned()),
        };
        let request = match request(&letter, &token) {
            Ok(request) => request,
            Err(error) => return refused("BadUri", error.to_string()),
        };
        match self.outbound.send(request, LIMITS).await {
            Ok(answer) if answer.status().is_success() => Verdict::Delivered,
            // Who does not know the call will not know it later.
            Ok(answer) if matches!(answer.status().as_u16(), 400 | 404 | 410 | 413) => {
                refused("Refused", format!("the application answered {}", answer.status()))
            }
            Ok(answer) => retry("Busy", format!("the application answered {}", answer.status())),
            Err(error) => retry("Unreachable", error.to_string()),
        }
    }
}

impl Courier for CallbackCourier {
    fn plan(&self, _: &str) -> Plan {
        Plan { concurrency: 64, timeout: Duration::from_secs(15), ..Plan::default() }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            match parcel.items.first() {
                Some(item) => {
                    let verdict = self.deliver(&item.payload).await;
                    note_answered(&parcel.target, &verdict);
                    verdict
                }
                None => Verdict::Delivered,
            }
        })
    }
}

fn request(letter: &Letter, token: &Secret) -> Result<Request<Bytes>, hyper::http::Error> {
    let mut credential = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    credential.set_sensitive(true);
    Request::post(&letter.uri)
        .header(AUTHORIZATION, credential)
        .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
        .body(Bytes::from(letter.body.to_string()))
}

fn note_answered(origin: &str, verdict: &Verdict) {
    journey::note("calling", || {
        let (said, outcome) = match verdict {
            Verdict::Delivered => ("taken", Outcome::Done),
            Verdict::Retry { answer, .. } => (answer.as_str(), Outcome::Again),
            Verdict::Refused { answer, .. } => (answer.as_str(), Outcome::Failed),
        };
        let text = format!("the callback to {origin}: {said}");
        Note::new(Stage::WebhookAnswered, text).outcome(outcome)
    });
}

fn refused(outcome: &'static str, answer: String) -> Verdict {
    Verdict::Refused { outcome: Cow::Borrowed(outcome), answer }
}

fn retry(outcome: &'static str, answer: String) -> Verdict {
    Verdict::Retry { outcome: Cow::Borrowed(outcome), answer, not_before: None, probation: None }
}
