//! What Apple checks of a request, in the order in which it refuses.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use kernel::Timestamp;
use serde_json::Value;

use crate::fake::accounts::{ApnsKey, Trusted};
use crate::push::apns::PushType;
use crate::push::apns::message::is_device_token;
use crate::push::apns::topic::{bare, belongs_to};
use crate::push::jws::{Algorithm, Jws};

/// A token may be this old.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);
/// A clock may be ahead by this much.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(600);
/// A connection may not change its token more often.
const TOKEN_INTERVAL: Duration = Duration::from_secs(20 * 60);

/// Who sends on a connection: known from the first token that was accepted on it.
#[derive(Debug, Default)]
pub(super) struct Provider {
    /// The token as it was sent, so that it is verified once and not with every request.
    token: String,
    issued: Timestamp,
    ids: (String, String),
    key: Option<ApnsKey>,
}

impl Provider {
    /// Checks the token of a request. The reason of a refusal comes back.
    pub(super) fn admit(
        &mut self,
        headers: &HeaderMap,
        trusted: &Trusted,
        now: Timestamp,
    ) -> Result<&ApnsKey, &'static str> {
        let header = headers.get(AUTHORIZATION).ok_or("MissingProviderToken")?;
        let text = header.to_str().map_err(|_| "InvalidProviderToken")?;
        let (scheme, token) = text.split_once(' ').ok_or("InvalidProviderToken")?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err("MissingProviderToken");
        }
        if self.key.is_none() || self.token != token {
            self.learn(token, trusted, now)?;
        }
        if now.since(self.issued) > TOKEN_LIFE {
            return Err("ExpiredProviderToken");
        }
        self.key.as_ref().ok_or("InvalidProviderToken")
    }

    fn learn(
        &mut self,
        token: &str,
        trusted: &Trusted,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let jws = Jws::parse(token).ok_or("InvalidProviderToken")?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let ids = text(&jws.claims["iss"]).zip(text(&jws.header["kid"]));
        let ids = ids.ok_or("InvalidProviderToken")?;
        let issued = jws.claims["iat"].as_i64().ok_or("InvalidProviderToken")?;
        let issued = Timestamp::from_secs(issued);
        let key = trusted.apns_key(&ids.0, &ids.1).ok_or("InvalidProviderToken")?;
        if !jws.is_signed_by(Algorithm::Es256, &key.public_key) {
            return Err("InvalidProviderToken");
        }
        if issued.since(now) > CLOCK_TOLERANCE {
            return Err("InvalidProviderToken");
        }
        if now.since(issued) > TOKEN_LIFE {
            return Err("ExpiredProviderToken");
        }
        if self.key.is_some() {
            if self.ids != ids {
                return Err("UnrelatedKeyIdInToken");
            }
            if issued.since(self.issued) < TOKEN_INTERVAL {
                return Err("TooManyProviderTokenUpdates");
            }
        }
        *self = Self { token: token.to_owned(), issued, ids, key: Some(key) };
        Ok(())
    }
}

/// The device of a path. The reason of a refusal comes back.
pub(super) fn device(head: &Parts) -> Result<&str, &'static str> {
    let device = head.uri.path().strip_prefix("/3/device").ok_or("BadPath")?;
    if head.method != Method::POST {
        return Err("MethodNotAllowed");
    }
    match device.strip_prefix('/') {
        None if device.is_empty() => Err("MissingDeviceToken"),
        None => Err("BadPath"),
        Some("") => Err("MissingDeviceToken"),
        Some(device) => Ok(device),
    }
}

/// Checks headers and payload of a request for a device. The reason of a refusal comes back.
pub(super) fn notification(
    headers: &HeaderMap,
    device: &str,
    payload: &[u8],
    key: &ApnsKey,
) -> Result<(), &'static str> {
    let push_type = checked_headers(headers, key)?;
    // Every token that Apple hands out has at least 32 bytes.
    if device.len() < 64 || !is_device_token(device) {
        return Err("BadDeviceToken");
    }
    if payload.is_empty() {
        return Err("PayloadEmpty");
    }
    if payload.len() > push_type.payload_limit() {
        return Err("PayloadTooLarge");
    }
    // Apple documents no reason for a payload that is no JSON object.
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_) if payload.trim_ascii_start().starts_with(b"{") => Ok(()),
        _ => Err("PayloadEmpty"),
    }
}

fn checked_headers(headers: &HeaderMap, key: &ApnsKey) -> Result<PushType, &'static str> {
    const ONCE: [&str; 6] = [
        "apns-id",
        "apns-topic",
        "apns-push-type",
        "apns-priority",
        "apns-expiration",
        "apns-collapse-id",
    ];
    if ONCE.iter().any(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        return Err("DuplicateHeaders");
    }
    let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    if text("apns-id").is_some_and(|id| uuid::Uuid::try_parse(id).is_err() || id.len() != 36) {
        return Err("BadMessageId");
    }
    if text("apns-expiration").is_some_and(|it| it.parse::<i64>().is_err()) {
        return Err("BadExpirationDate");
    }
    if text("apns-collapse-id").is_some_and(|it| it.is_empty() || it.len() > 64) {
        return Err("BadCollapseId");
    }
    let priority = text("apns-priority").unwrap_or("10");
    if !matches!(priority, "10" | "5" | "1") {
        return Err("BadPriority");
    }
    let topic = text("apns-topic").filter(|it| !it.is_empty()).ok_or("MissingTopic")?;
    let by_topic = PushType::of_topic(topic);
    let push_type = match text("apns-push-type") {
        None => by_topic.unwrap_or(PushType::Alert),
        Some(name) => PushType::parse(name).ok_or("InvalidPushType")?,
    };
    if !belongs_to(topic, &key.bundle_id) {
        // Another app, or something that is no bundle id at all.
        return Err(if bare(topic).contains('.') { "TopicDisallowed" } else { "BadTopic" });
    }
    let expected = PushType::of_topic(&format!("x{}", push_type.suffix()));
    if by_topic != expected {
        return Err("InvalidPushType");
    }
    if push_type == PushType::Background && priority != "5" {
        return Err("BadPriority");
    }
    Ok(push_type)
}

#[cfg(test)]
mod tests;
