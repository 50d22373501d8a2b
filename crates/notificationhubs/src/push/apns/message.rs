//! One notification for Apple: headers and payload, prepared once and shared by all its devices.
//!
//! The payload goes out byte for byte as the app's backend sent it; it is read only to be checked
//! and to infer the push type.

use axum::http::header::AUTHORIZATION;
use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::credential::ApnsCredential;
use super::topic::{self, PushType};
use crate::push::outcome::{Outcome, OutcomeName};

const ID: HeaderName = HeaderName::from_static("apns-id");
const TOPIC: HeaderName = HeaderName::from_static("apns-topic");
const PUSH_TYPE: HeaderName = HeaderName::from_static("apns-push-type");
const PRIORITY: HeaderName = HeaderName::from_static("apns-priority");
const EXPIRATION: HeaderName = HeaderName::from_static("apns-expiration");
const COLLAPSE_ID: HeaderName = HeaderName::from_static("apns-collapse-id");

/// Apple's limit for a collapse id, in bytes.
const COLLAPSE_ID_BYTES: usize = 64;

/// What a sender may say about a notification beside its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What it is for; inferred when absent.
    pub push_type: Option<PushType>,
    /// The topic, when it is not the one that follows from app and push type.
    pub topic: Option<String>,
    /// 10 at once, 5 considering power, 1 power above all.
    pub priority: Option<u8>,
    /// Unix seconds; 0 means to try once and to store nothing.
    pub expiration: Option<i64>,
    /// Replaces an earlier notification with the same one.
    pub collapse_id: Option<String>,
}

impl Options {
    /// Reads the `apns-*` headers of a send. Others are not looked at.
    ///
    /// # Errors
    /// `Invalid` names the header whose value Apple would refuse.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self> {
        let text = |name: &HeaderName| match headers.get(name).map(HeaderValue::to_str) {
            None => Ok(None),
            Some(Ok(text)) if !text.trim().is_empty() => Ok(Some(text.trim())),
            Some(_) => Err(invalid(name, "is empty or not ASCII")),
        };
        let push_type = text(&PUSH_TYPE)?.map(|it| {
            PushType::parse(it).ok_or_else(|| invalid(&PUSH_TYPE, "is none of Apple's push types"))
        });
        let priority = text(&PRIORITY)?.map(|it| match it {
            "10" => Ok(10),
            "5" => Ok(5),
            "1" => Ok(1),
            _ => Err(invalid(&PRIORITY, "is not 10, 5 or 1")),
        });
        let expiration = text(&EXPIRATION)?.map(|it| {
            let number = it.parse::<i64>().ok().filter(|number| *number >= 0);
            number.ok_or_else(|| invalid(&EXPIRATION, "is not a time in Unix seconds"))
        });
        let collapse_id = text(&COLLAPSE_ID)?.map(|it| {
            let fits = it.len() <= COLLAPSE_ID_BYTES;
            fits.then(|| it.to_owned()).ok_or_else(|| invalid(&COLLAPSE_ID, "has over 64 bytes"))
        });
        Ok(Self {
            push_type: push_type.transpose()?,
            topic: text(&TOPIC)?.map(str::to_owned),
            priority: priority.transpose()?,
            expiration: expiration.transpose()?,
            collapse_id: collapse_id.transpose()?,
        })
    }

    /// Checks that the topic, if one is given, is one of the app's own.
    ///
    /// # Errors
    /// `Invalid` names both.
    pub fn check_topic(&self, bundle_id: &str) -> Result<()> {
        match &self.topic {
            Some(topic) if !topic::belongs_to(topic, bundle_id) => {
                let app = topic::bare(bundle_id);
                let problem = format!(
                    "does not belong to this hub's app; it must be {app}, alone or \
                                       with the suffix of a push type such as .voip"
                );
                Err(invalid(&TOPIC, &problem))
            }
            _ => Ok(()),
        }
    }
}

fn invalid(header: &HeaderName, problem: &str) -> Error {
    let message = format!("The header {header} {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(header.as_str().to_owned())
}

/// A notification that can be sent to any number of devices.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) payload: Bytes,
    headers: HeaderMap,
    push_type: PushType,
    expiration: Option<i64>,
}

impl Message {
    /// Completes the options from app and payload and checks what Apple would refuse anyway.
    ///
    /// # Errors
    /// The outcome that every device would get.
    pub fn prepare(
        credential: &ApnsCredential,
        options: &Options,
        payload: Bytes,
    ) -> std::result::Result<Self, Box<Outcome>> {
        let refused = |name, text: String| Box::new(Outcome::of(name, text));
        let parsed: Map<String, Value> = serde_json::from_slice(&payload).map_err(|cause| {
            let text = format!("the payload is not a JSON object ({cause})");
            refused(OutcomeName::InvalidNotificationFormat, text)
        })?;
        options
            .check_topic(&credential.bundle_id)
            .map_err(|error| refused(OutcomeName::WrongToken, error.message().to_owned()))?;
        let named = options.topic.as_deref().unwrap_or(&credential.bundle_id);
        let push_type = options.push_type.unwrap_or_else(|| PushType::infer(named, &parsed));
        let limit = push_type.payload_limit();
        if payload.len() > limit {
            let (kind, size) = (push_type.as_str(), payload.len());
            let text = format!("the payload has {size} bytes; of type {kind} it may have {limit}");
            return Err(refused(OutcomeName::InvalidNotificationSize, text));
        }
        let topic = options.topic.clone();
        let topic = topic.unwrap_or_else(|| topic::topic(&credential.bundle_id, push_type));
        let headers = headers(&topic, push_type, options);
        let headers = headers.ok_or_else(|| {
            let text = "topic or collapse id has characters that no header can carry".to_owned();
            refused(OutcomeName::InvalidNotificationFormat, text)
        })?;
        Ok(Self { payload, headers, push_type, expiration: options.expiration })
    }

    /// What it is for.
    pub fn push_type(&self) -> PushType {
        self.push_type
    }

    /// Whether it is of no use any more at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expiration.is_some_and(|at| at != 0 && at < now.as_secs())
    }

    /// The request for one device. `id` stays the same when the same attempt is repeated.
    pub(super) fn request(
        &self,
        credential: &ApnsCredential,
        device: &str,
        id: Uuid,
        authorization: HeaderValue,
    ) -> Request<()> {
        let path = [b"/3/device/", device.as_bytes()].concat();
        let mut parts = axum::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(credential.authority.clone());
        parts.path_and_query = PathAndQuery::from_maybe_shared(Bytes::from(path)).ok();
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(parts).expect("a checked device token makes a path");
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let id = id.hyphenated().encode_lower(&mut text);
        headers.insert(ID, HeaderValue::from_str(id).expect("a UUID is ASCII"));
        headers.insert(AUTHORIZATION, authorization);
        request
    }
}

/// The headers that all devices share. Nothing comes of values that no header can carry.
fn headers(topic: &str, push_type: PushType, options: &Options) -> Option<HeaderMap> {
    let (mut priority, mut expiration) = (options.priority, options.expiration);
    match push_type {
        // Apple refuses any other priority for it.
        PushType::Background => priority = Some(5),
        PushType::PushToTalk => (priority, expiration) = (Some(10), Some(0)),
        _ => {}
    }
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(TOPIC, HeaderValue::from_str(topic).ok()?);
    headers.insert(PUSH_TYPE, HeaderValue::from_static(push_type.as_str()));
    if let Some(priority) = priority {
        headers.insert(PRIORITY, HeaderValue::from(u16::from(priority)));
    }
    if let Some(at) = expiration {
        headers.insert(EXPIRATION, HeaderValue::from(at));
    }
    if let Some(id) = &options.collapse_id {
        headers.insert(COLLAPSE_ID, HeaderValue::from_str(id).ok()?);
    }
    Some(headers)
}

/// Whether a handle can be an Apple device token at all: hexadecimal, of even length. Apple says not
/// to rely on a length, so the bounds are wide.
pub fn is_device_token(handle: &str) -> bool {
    (32..=200).contains(&handle.len())
        && handle.len().is_multiple_of(2)
        && handle.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
