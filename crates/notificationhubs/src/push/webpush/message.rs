//! One notification for browsers: its payload and what the push service is told about it.

use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result};

use super::encryption::PAYLOAD_BYTES;
use super::subscription::Subscription;
use crate::push::outcome::{Outcome, OutcomeName};

const TTL: HeaderName = HeaderName::from_static("ttl");
const URGENCY: HeaderName = HeaderName::from_static("urgency");
const TOPIC: HeaderName = HeaderName::from_static("topic");

/// Four weeks, what the large push services keep at most. Not known of Azure's hubs; a message that
/// is dropped because a laptop was shut for a night is what nobody expects.
const DEFAULT_TTL_SECS: u32 = 2_419_200;

/// How much a message matters, so that a device can save power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// On power and Wi-Fi.
    VeryLow,
    /// On power or Wi-Fi.
    Low,
    /// Neither.
    Normal,
    /// Low battery.
    High,
}

impl Urgency {
    const ALL: [(&str, Self); 4] = [
        ("very-low", Self::VeryLow),
        ("low", Self::Low),
        ("normal", Self::Normal),
        ("high", Self::High),
    ];

    /// The urgency of a header's value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, urgency)| urgency)
    }

    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("normal", |(name, _)| name)
    }
}

/// A notification that can be sent to any number of browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the service worker gets.
    pub payload: Bytes,
    /// How long the push service keeps it, in seconds.
    pub ttl_secs: u32,
    /// How much it matters.
    pub urgency: Option<Urgency>,
    /// Replaces an undelivered one with the same topic: up to 32 characters of base64url.
    pub topic: Option<Box<str>>,
}

impl Message {
    /// Reads the headers `TTL`, `Urgency` and `Topic` of a send. Others are not looked at.
    ///
    /// # Errors
    /// `Invalid` names the header whose value push services would refuse.
    pub fn from_headers(headers: &HeaderMap, payload: Bytes) -> Result<Self> {
        let text = |name: &HeaderName| headers.get(name).map(|it| it.to_str().unwrap_or_default());
        let ttl = text(&TTL).map(|it| {
            it.trim().parse::<u32>().map_err(|_| invalid(&TTL, "is not a number of seconds"))
        });
        let urgency = text(&URGENCY).map(|it| {
            let problem = "is none of very-low, low, normal, high";
            Urgency::parse(it.trim()).ok_or_else(|| invalid(&URGENCY, problem))
        });
        let topic = text(&TOPIC).map(|it| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let fits = (1..=32).contains(&it.len()) && it.bytes().all(plain);
            let problem = "is not up to 32 letters, digits, - and _";
            fits.then(|| it.into()).ok_or_else(|| invalid(&TOPIC, problem))
        });
        Ok(Self {
            payload,
            ttl_secs: ttl.transpose()?.unwrap_or(DEFAULT_TTL_SECS),
            urgency: urgency.transpose()?,
            topic: topic.transpose()?,
        })
    }

    /// Checks what push services would refuse for every browser.
    ///
    /// # Errors
    /// The outcome that every browser would get.
    pub fn check_size(&self) -> std::result::Result<(), Box<Outcome>> {
        let size = self.payload.len();
        if size <= PAYLOAD_BYTES {
            return Ok(());
        }
        let text = format!("the payload has {size} bytes; web push allows {PAYLOAD_BYTES}");
        Err(Box::new(Outcome::of(OutcomeName::InvalidNotificationSize, text)))
    }

    /// The request with an encrypted body.
    pub(super) fn request(
        &self,
        subscription: &Subscription,
        authorization: HeaderValue,
        body: Vec<u8>,
    ) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&subscription.endpoint);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(TTL, HeaderValue::from(self.ttl_secs));
        if let Some(urgency) = self.urgency {
            headers.insert(URGENCY, HeaderValue::from_static(urgency.as_str()));
        }
        if let Some(topic) = self.topic.as_deref().and_then(|it| HeaderValue::from_str(it).ok()) {
            headers.insert(TOPIC, topic);
        }
        request
    }
}

fn invalid(header: &HeaderName, problem: &str) -> Error {
    let message = format!("The header {header} {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(header.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::subscription::tests::{AUTH, P256DH};
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_push_service_is_told_what_the_sender_said() {
        let subscription = Subscription::parse("https://push.example/x", P256DH, AUTH).unwrap();
        let sent = headers(&[("ttl", "60"), ("urgency", "high"), ("topic", "news")]);
        let message = Message::from_headers(&sent, Bytes::new()).unwrap();
        let request = message.request(&subscription, HeaderValue::from_static("vapid"), vec![1]);
        assert_eq!(request.uri(), "https://push.example/x");
        for (name, value) in [
            ("ttl", "60"),
            ("urgency", "high"),
            ("topic", "news"),
            ("content-encoding", "aes128gcm"),
            ("content-type", "application/octet-stream"),
            ("authorization", "vapid"),
        ] {
            assert_eq!(request.headers()[name], value);
        }
        let plain = Message::from_headers(&HeaderMap::new(), Bytes::new()).unwrap();
        let request = plain.request(&subscription, HeaderValue::from_static("vapid"), vec![1]);
        assert_eq!(request.headers()["ttl"], "2419200", "it is mandatory");
        assert!(!request.headers().contains_key("urgency"));
    }

    #[test]
    fn values_that_push_services_would_refuse_are_named() {
        for (name, value) in [
            ("ttl", "-1"),
            ("ttl", "soon"),
            ("urgency", "extreme"),
            ("topic", ""),
            ("topic", "a b"),
            ("topic", "abcdefghijklmnopqrstuvwxyz0123456"),
        ] {
            let error = Message::from_headers(&headers(&[(name, value)]), Bytes::new());
            assert_eq!(error.unwrap_err().target_name(), Some(name), "{value}");
        }
    }
}
