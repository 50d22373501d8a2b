//! What the delivery queue keeps of a send. The payload is with the notification, once.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::refusal::{bad_request, shown};
use crate::registration::Key;
use crate::store::HubKey;
use crate::{Handle, Platform};

/// What a send is for: one platform as it is, or whatever templates make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The devices of one platform without templates.
    Native(Platform),
    /// Templates of all platforms.
    Template,
}

impl Format {
    /// Reads a `ServiceBusNotification-Format`, whatever its case; without one it is a template.
    ///
    /// # Errors
    /// `Invalid` with the formats that there are.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text.map(str::trim).filter(|it| !it.is_empty()) else {
            return Ok(Self::Template);
        };
        if text.eq_ignore_ascii_case("template") {
            return Ok(Self::Template);
        }
        let found = Platform::from_format(text).map(Self::Native);
        found.ok_or_else(|| {
            let known = Platform::ALL.map(Platform::format).join(", ");
            bad_request(format!(
                "The header ServiceBusNotification-Format has an invalid value: '{}'. Expected \
                 template or one of {known}.",
                shown(text)
            ))
        })
    }

    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native(platform) => platform.format(),
            Self::Template => "template",
        }
    }

    /// The platform of a native send.
    pub fn platform(self) -> Option<Platform> {
        match self {
            Self::Native(platform) => Some(platform),
            Self::Template => None,
        }
    }
}

/// A device that a send names itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<(String, String)>,
}

impl Device {
    /// The device of a handle.
    pub fn of(handle: &Handle) -> Self {
        let keys = handle.keys().map(|keys| (keys.p256dh.clone(), keys.auth.clone()));
        Self { address: handle.address().to_owned(), keys }
    }

    /// Its handle.
    pub(super) fn handle(&self, platform: Platform) -> Handle {
        let keys = self.keys.as_ref().map(|(p256dh, auth)| crate::BrowserKeys {
            p256dh: p256dh.clone(),
            auth: auth.clone(),
        });
        Handle::stored(platform, self.address.clone(), keys)
    }
}

/// Who a send is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum To {
    /// Whoever has these tags; everyone without an expression.
    Audience(Option<String>),
    /// These devices, registered or not.
    Devices(Vec<Device>),
    /// These registrations, which an earlier attempt has not reached: their places.
    Registrations(Vec<i64>),
}

/// The work of a send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) hub: i64,
    pub(super) notification: String,
    format: String,
    headers: Vec<(String, String)>,
    pub(super) to: To,
    /// From then on nobody is tried again, in microseconds since 1970.
    deadline: i64,
}

impl Order {
    pub(super) fn new(
        hub: HubKey,
        notification: &str,
        format: Format,
        headers: &HeaderMap,
        to: To,
        deadline: Timestamp,
    ) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        Self {
            hub: hub.0,
            notification: notification.to_owned(),
            format: format.as_str().to_owned(),
            headers: headers.iter().filter_map(header).collect(),
            to,
            deadline: deadline.as_micros(),
        }
    }

    /// The same send to those that were not reached.
    pub(super) fn to_registrations(&self, places: Vec<i64>) -> Self {
        Self { to: To::Registrations(places), ..self.clone() }
    }

    pub(super) fn hub_key(&self) -> HubKey {
        HubKey(self.hub)
    }

    pub(super) fn format(&self) -> Format {
        Format::parse(Some(&self.format)).unwrap_or(Format::Template)
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        };
        self.headers.iter().filter_map(header).collect()
    }

    pub(super) fn deadline(&self) -> Timestamp {
        Timestamp::from_micros(self.deadline)
    }
}

/// The target of sends of one format through one hub.
pub(super) fn target(hub: HubKey, format: Format) -> String {
    format!("{}/{}", hub.0, format.as_str())
}

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Progress {
    /// Of an audience: who registers after `before` is not meant; everyone up to `after` is settled.
    Walk { before: i64, after: i64 },
    /// Of a list: who is left, by position.
    Left(Vec<u32>),
    /// All is settled.
    Done,
}

impl Progress {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers are JSON")
    }

    /// Where an order goes on; nothing of a first attempt, or of what cannot be read.
    pub(super) fn decode(bytes: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(bytes?).ok()
    }

    pub(super) fn walk(before: Key, after: Key) -> Self {
        Self::Walk { before: before.0, after: after.0 }
    }
}
