//! The handshake before an event subscription gets its first event: proof that whoever answers at
//! the URL wants events, so that nobody can point this server at a stranger.
//!
//! Two forms. With Event Grid's schema or a custom one, the webhook is sent a validation event and
//! returns its code; with CloudEvents it is asked by `OPTIONS` and names our origin (CloudEvents web
//! hooks 1.0, section 4). In both, a webhook that answers well but says nothing can be spoken for by
//! a person who opens the validation URL.
//!
//! - this module is pure: requests, answers, and what follows ([`Handshake`])
//! - `driver` sends, waits and remembers who has opened a URL meanwhile
//!
//! Invariants: a status alone is never consent; redirects are not followed; no text of a refusal
//! holds the query of the webhook's URL.

mod driver;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use kernel::Timestamp;
use serde_json::{Value, json};

use crate::calendar;
use crate::event::DeliverySchema;
use wire::ResourceId;

pub(crate) use driver::{Pending, UnderWay};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_CALLBACK: HeaderName = HeaderName::from_static("webhook-request-callback");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
const EVENT_TYPE: HeaderName = HeaderName::from_static("aeg-event-type");
const SUBSCRIPTION_NAME: HeaderName = HeaderName::from_static("aeg-subscription-name");
const DELIVERY_COUNT: HeaderName = HeaderName::from_static("aeg-delivery-count");
const DATA_VERSION: HeaderName = HeaderName::from_static("aeg-data-version");
const METADATA_VERSION: HeaderName = HeaderName::from_static("aeg-metadata-version");

/// A failed handshake is tried this often in all.
const ATTEMPTS: u32 = 2;

/// One event subscription that asks for consent.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    /// Whose events it wants.
    pub(crate) source: &'a ResourceId,
    /// Its name.
    pub(crate) name: &'a str,
    /// What it wants them in; decides the form of the handshake.
    pub(crate) schema: DeliverySchema,
    /// Who we say we are.
    pub(crate) origin: &'a str,
    /// What the webhook returns, and what the validation URL holds.
    pub(crate) code: &'a str,
    /// What a person opens instead.
    pub(crate) validation_url: &'a str,
}

/// What the webhook's answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It wants events, at most so many requests a minute.
    Consent { rate: Option<u32> },
    /// It took note; somebody may open the validation URL.
    Silence,
    /// It names somebody else: asking again is of no use.
    Refusal(String),
    /// It did not work; asking again may be.
    Failure(String),
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask, after a pause if there is one.
    Ask { pause: Option<Duration> },
    /// The handshake is over.
    Done(Conclusion),
}

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// Events may flow.
    Consent { rate: Option<u32> },
    /// Events may flow once somebody opens the validation URL.
    AwaitsPerson,
    /// No consent, and why.
    Failed(String),
}

/// The course of a handshake. Time and sockets are the driver's.
#[derive(Debug)]
pub(crate) struct Handshake {
    attempts: u32,
    pause: Duration,
}

impl Handshake {
    /// A handshake that waits for `pause` before it asks again.
    pub(crate) fn new(pause: Duration) -> Self {
        Self { attempts: 0, pause }
    }

    /// The first thing to do.
    pub(crate) fn begin(&mut self) -> Step {
        self.attempts = 1;
        Step::Ask { pause: None }
    }

    /// What follows from an answer; `opened` tells that somebody has opened the validation URL
    /// before the webhook answered, as receivers do that open it themselves.
    pub(crate) fn answered(&mut self, answer: Answer, opened: bool) -> Step {
        match answer {
            Answer::Consent { rate } => Step::Done(Conclusion::Consent { rate }),
            _ if opened => Step::Done(Conclusion::Consent { rate: None }),
            Answer::Silence => Step::Done(Conclusion::AwaitsPerson),
            Answer::Refusal(reason) => Step::Done(Conclusion::Failed(reason)),
            Answer::Failure(_) if self.attempts < ATTEMPTS => {
                self.attempts += 1;
                Step::Ask { pause: Some(self.pause) }
            }
            Answer::Failure(reason) => Step::Done(Conclusion::Failed(reason)),
        }
    }
}

impl Question<'_> {
    /// The request to the webhook.
    pub(crate) fn request(&self, url: Uri, now: Timestamp) -> Request<Bytes> {
        match self.schema {
            DeliverySchema::CloudEvents => self.options(url),
            DeliverySchema::EventGrid | DeliverySchema::CustomInput => {
                self.validation_event(url, now)
            }
        }
    }

    /// Judges the webhook's answer.
    pub(crate) fn judge(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        match self.schema {
            DeliverySchema::CloudEvents => self.judge_options(status, headers),
            DeliverySchema::EventGrid | DeliverySchema::CustomInput => {
                self.judge_event(status, body)
            }
        }
    }

    fn options(&self, url: Uri) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::OPTIONS;
        *request.uri_mut() = url;
        let headers = request.headers_mut();
        headers.insert(REQUEST_ORIGIN, text(self.origin));
        headers.insert(REQUEST_CALLBACK, text(self.validation_url));
        request
    }

    fn validation_event(&self, url: Uri, now: Timestamp) -> Request<Bytes> {
        let event = json!([{
            "id": uuid::Uuid::new_v4().to_string(),
            "topic": self.source.as_str(),
            "subject": "",
            "data": { "validationCode": self.code, "validationUrl": self.validation_url },
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": calendar::rfc3339(now),
            "metadataVersion": "1",
            "dataVersion": "2",
        }]);
        notice(url, self.name, "SubscriptionValidation", &event)
    }

    /// Only 200 counts, and the code must come back; receivers in C# write the property's name with
    /// a capital.
    fn judge_event(&self, status: StatusCode, body: &[u8]) -> Answer {
        if status != StatusCode::OK {
            return Answer::Failure(format!(
                "the webhook answered the validation event with {}, expected 200",
                status.as_u16()
            ));
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let response = body.as_object().and_then(|members| {
            members.iter().find(|(name, _)| name.eq_ignore_ascii_case("validationResponse"))
        });
        match response.map(|(_, value)| value.as_str()) {
            Some(Some(code)) if code.eq_ignore_ascii_case(self.code) => {
                Answer::Consent { rate: None }
            }
            Some(_) => {
                let reason = "the webhook returned a validationResponse that is not the \
                              validationCode it was sent";
                Answer::Refusal(reason.to_owned())
            }
            None => Answer::Silence,
        }
    }

    /// Any 2xx with `WebHook-Allowed-Origin` that names us or everybody. The rate is mandatory by
    /// the specification, but many receivers leave it out.
    fn judge_options(&self, status: StatusCode, headers: &HeaderMap) -> Answer {
        if !status.is_success() {
            return Answer::Failure(format!(
                "the webhook answered OPTIONS with {}, expected 200 and the header \
                 WebHook-Allowed-Origin",
                status.as_u16()
            ));
        }
        let values = headers.get_all(ALLOWED_ORIGIN).iter().filter_map(|value| value.to_str().ok());
        let allowed: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        if allowed.is_empty() {
            return Answer::Silence;
        }
        if allowed.iter().any(|it| *it == "*" || it.eq_ignore_ascii_case(self.origin)) {
            let rate = headers.get(ALLOWED_RATE).and_then(|value| value.to_str().ok());
            return Answer::Consent { rate: rate.and_then(|rate| rate.trim().parse().ok()) };
        }
        Answer::Refusal(format!(
            "the webhook's WebHook-Allowed-Origin names neither {} nor *",
            self.origin
        ))
    }
}

/// The notice that an event subscription is gone.
pub(crate) fn deletion_notice(
    url: Uri,
    source: &ResourceId,
    name: &str,
    id: &ResourceId,
    now: Timestamp,
) -> Request<Bytes> {
    let event = json!([{
        "id": uuid::Uuid::new_v4().to_string(),
        "topic": source.as_str(),
        "subject": "",
        "data": { "eventSubscriptionId": id.as_str() },
        "eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent",
        "eventTime": calendar::rfc3339(now),
        "metadataVersion": "1",
        "dataVersion": "1",
    }]);
    notice(url, name, "SubscriptionDeletion", &event)
}

/// A request of the service's own, in Event Grid's schema.
fn notice(url: Uri, name: &str, kind: &'static str, event: &Value) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(event.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(EVENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(SUBSCRIPTION_NAME, text(&name.to_uppercase()));
    headers.insert(DELIVERY_COUNT, HeaderValue::from_static("0"));
    headers.insert(DATA_VERSION, HeaderValue::from_static("1"));
    headers.insert(METADATA_VERSION, HeaderValue::from_static("1"));
    request
}

/// A header's value; names and origins are plain ASCII by their rules, so nothing is lost.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}
