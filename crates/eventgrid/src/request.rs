//! The request that carries events to a webhook.
//!
//! Names and values of headers are those that were captured from the real service. What a webhook
//! is asked before its first event is the business of `validation`.

use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use bytes::Bytes;

use crate::event::{DeliverySchema, Event, array_of};
use crate::filter::Subject;

const EVENT_TYPE: HeaderName = HeaderName::from_static("aeg-event-type");
const SUBSCRIPTION_NAME: HeaderName = HeaderName::from_static("aeg-subscription-name");
const DELIVERY_COUNT: HeaderName = HeaderName::from_static("aeg-delivery-count");
const DATA_VERSION: HeaderName = HeaderName::from_static("aeg-data-version");
const METADATA_VERSION: HeaderName = HeaderName::from_static("aeg-metadata-version");

/// Longest value of a delivery attribute that comes from an event, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 4096;

/// What is the same for all events of a request.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The event subscription's name.
    pub subscription: &'a str,
    /// The form of the events.
    pub schema: DeliverySchema,
    /// Whether the subscription takes more than one event in a request. CloudEvents come in an array
    /// then, also when there is only one.
    pub batched: bool,
    /// Attempts that were made before this one; in a batch, for its first event.
    pub attempts: u32,
    /// Who we say we are to webhooks that speak CloudEvents.
    pub origin: &'a HeaderValue,
    /// The subscription's delivery attributes, resolved for the first event.
    pub attributes: &'a [(HeaderName, HeaderValue)],
}

impl Delivery<'_> {
    /// The request that carries `events` to `url`. None of them is left out unless it has no form in
    /// this schema, which no subscription can ask for.
    pub fn request(&self, url: Uri, events: &[&Event]) -> Request<Bytes> {
        let encoded: Vec<Bytes> =
            events.iter().filter_map(|event| event.encode(self.schema)).collect();
        let body = match encoded.as_slice() {
            [event] if self.is_single() => event.clone(),
            events => array_of(events),
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url;
        *request.headers_mut() = self.headers(events);
        request
    }

    fn is_single(&self) -> bool {
        self.schema == DeliverySchema::CloudEvents && !self.batched
    }

    /// Our own headers come last, so that no attribute replaces them.
    fn headers(&self, events: &[&Event]) -> HeaderMap {
        let mut headers: HeaderMap = self.attributes.iter().cloned().collect();
        let content_type = match self.schema {
            DeliverySchema::EventGrid => "application/json; charset=utf-8",
            DeliverySchema::CustomInput => "application/json",
            DeliverySchema::CloudEvents if self.batched => {
                "application/cloudevents-batch+json; charset=utf-8"
            }
            DeliverySchema::CloudEvents => "application/cloudevents+json; charset=utf-8",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.schema == DeliverySchema::CloudEvents {
            headers.insert(ORIGIN, self.origin.clone());
        }
        headers.insert(EVENT_TYPE, HeaderValue::from_static("Notification"));
        headers.insert(SUBSCRIPTION_NAME, value(&self.subscription.to_uppercase()));
        headers.insert(DELIVERY_COUNT, HeaderValue::from(self.attempts));
        headers.insert(METADATA_VERSION, HeaderValue::from_static("1"));
        headers.insert(DATA_VERSION, value(self.data_version(events)));
        headers
    }

    /// The version that all events of the request have; empty when they differ, and for CloudEvents.
    fn data_version<'e>(&self, events: &[&'e Event]) -> &'e str {
        let Some((first, rest)) = events.split_first() else { return "" };
        let same = rest.iter().all(|event| event.data_version() == first.data_version());
        let told = same && self.schema != DeliverySchema::CloudEvents;
        if told { first.data_version() } else { "" }
    }
}

/// The value of a dynamic delivery attribute: the string, number or truth value at `source_field`,
/// such as `data.system`. `None`, and so no header, where there is none or it cannot be a header.
pub fn attribute_value(event: &Event, source_field: &str) -> Option<HeaderValue> {
    let text = Subject::new(event).scalar(source_field)?;
    if text.len() > MAX_ATTRIBUTE_BYTES {
        return None;
    }
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// A header's value; empty when a text cannot be one.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::Value;
    use testkit::golden;

    use super::*;
    use crate::event::samples;

    /// The request in one line: headers in alphabetical order, then the body.
    fn shown(request: &Request<Bytes>) -> String {
        let mut headers: Vec<_> = request.headers().iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        let mut line = format!("{} {}", request.method(), request.uri());
        for (name, value) in headers {
            let _ = write!(line, " | {name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        format!("{line} | {}", std::str::from_utf8(request.body()).unwrap())
    }

    #[test]
    fn requests_look_like_captured_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/golden/requests.txt");
        golden::check(path, |line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let events: Vec<_> = case["events"].as_array().unwrap().iter().collect();
            let events: Vec<_> = events
                .iter()
                .map(|event| samples::event(case["in"].as_str().unwrap(), event))
                .collect();
            let attributes = case["attributes"].as_object().into_iter().flatten();
            let attributes: Vec<_> = attributes
                .filter_map(|(name, field)| {
                    let value = attribute_value(&events[0], field.as_str().unwrap())?;
                    Some((HeaderName::from_bytes(name.as_bytes()).unwrap(), value))
                })
                .collect();
            let delivery = Delivery {
                subscription: "thermostatAlert",
                schema: DeliverySchema::parse(case["out"].as_str().unwrap()).unwrap(),
                batched: case["batched"].as_bool().unwrap_or(false),
                attempts: 2,
                origin: &HeaderValue::from_static("eventgrid.azure.net"),
                attributes: &attributes,
            };
            let events: Vec<_> = events.iter().collect();
            shown(&delivery.request(Uri::from_static("https://h/hook?code=1"), &events))
        });
    }

    #[test]
    fn an_attribute_that_is_no_header_is_left_out() {
        let data = serde_json::json!({
            "text": "a", "number": 1.5, "flag": true, "lines": "a\nb", "long": "x".repeat(4097),
            "object": {}, "null": null
        });
        let event = samples::event("Custom", &data);
        for (field, expected) in [
            ("data.text", Some("a")),
            ("data.number", Some("1.5")),
            ("data.flag", Some("true")),
            ("subject", Some("DefaultSubject")),
            ("data.lines", None),
            ("data.long", None),
            ("data.object", None),
            ("data.null", None),
            ("data.other", None),
            ("", None),
        ] {
            let value = attribute_value(&event, field);
            let value = value.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(value, expected, "{field}");
        }
    }
}
