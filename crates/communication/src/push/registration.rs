//! What a device registers: its push system, its handle there, and the keys to encrypt with. Pure.

use std::time::Duration;

use kernel::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::seal::{ContentKeys, METHOD_NAME};
use crate::link::Platform;

/// Longest handle, registration id and template that is taken, in bytes. FCM's tokens have about 160.
const MAX_TEXT: usize = 1024;
/// Lifetimes, from the chat clients' own to the longest that a calling client may ask for.
const MIN_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(15_552_000);
/// The lifetime of a registration that asks for none.
const DEFAULT_TTL: Duration = Duration::from_secs(86_400);

/// What a device wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Messages.
    Chat,
    /// Calls.
    Calls,
}

impl Purpose {
    /// As it is stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Calls => "calls",
        }
    }
}

/// One device of a user, as it wants to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Its own name, a UUID.
    pub(crate) id: String,
    pub(crate) purpose: Purpose,
    pub(crate) platform: Platform,
    pub(crate) ttl: Duration,
    pub(crate) secrets: Secrets,
}

/// What nobody else may know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Secrets {
    /// The device at its push system.
    pub(crate) handle: String,
    /// Without them payloads travel in the clear.
    pub(crate) keys: Option<ContentKeys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    registration_id: String,
    client_description: Description,
    #[serde(default)]
    transports: Transports,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Description {
    app_id: String,
    template_key: String,
    crypto_method: Option<String>,
    aes_key: Option<String>,
    auth_key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Transports {
    #[serde(rename = "APNS", alias = "APNs")]
    apns: Vec<Transport>,
    #[serde(rename = "FCM")]
    fcm: Vec<Transport>,
}

#[derive(Deserialize)]
struct Transport {
    path: String,
    #[serde(default)]
    ttl: Option<Ttl>,
}

/// Android writes it as a text, iOS as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ttl {
    Number(u64),
    Text(String),
}

impl Registration {
    /// Reads the body of a registration.
    ///
    /// # Errors
    /// `Invalid` with the field at fault.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            invalid("body", format!("The registration cannot be read: {error}."))
        })?;
        let Body { registration_id, client_description: described, transports } = body;
        let (platform, transport) = match (transports.apns.first(), transports.fcm.first()) {
            (Some(apns), _) => (Platform::Apns, apns),
            (None, Some(fcm)) => (Platform::Fcm, fcm),
            (None, None) => {
                let message = "transports needs APNS or FCM, with the device's token as path.";
                return Err(invalid("transports", message));
            }
        };
        text("registrationId", &registration_id)?;
        text("path", &transport.path)?;
        // The templates of the calling clients are not published; those of chat say so.
        let is_chat = described.template_key.contains("Chat");
        Ok(Self {
            purpose: if is_chat { Purpose::Chat } else { Purpose::Calls },
            platform,
            ttl: transport.ttl.as_ref().map_or(Ok(DEFAULT_TTL), lifetime)?,
            secrets: Secrets { handle: transport.path.clone(), keys: keys(&described)? },
            id: registration_id,
        })
    }
}

fn keys(described: &Description) -> Result<Option<ContentKeys>> {
    let Description { crypto_method, aes_key, auth_key, app_id, .. } = described;
    match (crypto_method.as_deref(), aes_key, auth_key) {
        (None | Some(""), None, None) => Ok(None),
        (Some(METHOD_NAME) | None, Some(aes), Some(auth)) => {
            let keys = ContentKeys::parse(aes, auth);
            keys.map(Some).ok_or_else(|| {
                let message = "aesKey is 32 bytes and authKey up to 64, both as base64.";
                invalid("aesKey", message)
            })
        }
        _ => {
            let message = format!(
                "The device of '{}' asks for an encryption that is not known: cryptoMethod is \
                 \"{METHOD_NAME}\", with aesKey and authKey.",
                app_id.chars().take(64).collect::<String>().escape_debug()
            );
            Err(invalid("cryptoMethod", message))
        }
    }
}

fn lifetime(ttl: &Ttl) -> Result<Duration> {
    let seconds = match ttl {
        Ttl::Number(seconds) => Some(*seconds),
        Ttl::Text(text) if text.is_empty() => return Ok(DEFAULT_TTL),
        Ttl::Text(text) => text.parse().ok(),
    };
    let seconds = seconds.ok_or_else(|| invalid("ttl", "ttl is a number of seconds."))?;
    Ok(Duration::from_secs(seconds).clamp(MIN_TTL, MAX_TTL))
}

fn text(name: &'static str, text: &str) -> Result<()> {
    let plain =
        !text.is_empty() && text.len() <= MAX_TEXT && text.bytes().all(|b| b.is_ascii_graphic());
    if plain {
        return Ok(());
    }
    let message = format!("{name} is 1 to {MAX_TEXT} letters, digits and signs without spaces.");
    Err(invalid(name, message))
}

fn invalid(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn android() -> Value {
        json!({
            "clientDescription": {
                "appId": "AcsAndroid", "platform": "Android", "languageId": "",
                "templateKey": "AcsAndroid.AcsNotify_Chat_2.0", "platformUIVersion": "0.0.0.0",
                "cryptoMethod": "0x70",
                "aesKey": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "authKey": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
            },
            "registrationId": "b8b4a4f2-b153-4f5e-8d8e-3e4f3b1b2c3d", "nodeId": "",
            "transports": { "FCM": [{ "context": "", "creationTime": "", "path": "fcm:token", "ttl": "2700" }] },
        })
    }

    fn ios() -> Value {
        json!({
            "clientDescription": { "appId": "AcsIos", "templateKey": "AcsIos.AcsNotify_Chat_3.0" },
            "registrationId": "r",
            "transports": { "APNS": [{ "ttl": 2700, "path": "ab01", "context": "" }] },
        })
    }

    fn parse(body: &Value) -> Result<Registration> {
        Registration::parse(body.to_string().as_bytes())
    }

    #[test]
    fn both_native_clients_are_understood() {
        let android = parse(&android()).unwrap();
        assert_eq!((android.platform, android.purpose), (Platform::Fcm, Purpose::Chat));
        assert_eq!(android.ttl, Duration::from_secs(2700));
        assert!(android.secrets.keys.is_some());
        let ios = parse(&ios()).unwrap();
        assert_eq!((ios.platform, ios.ttl), (Platform::Apns, Duration::from_secs(2700)));
        assert_eq!((ios.secrets.handle.as_str(), ios.secrets.keys), ("ab01", None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: &dyn Fn(&mut Value)| {
            let mut body = android();
            change(&mut body);
            parse(&body).unwrap_err().target_name().map(str::to_owned)
        };
        for (change, target) in [
            (&(|it: &mut Value| it["transports"] = json!({})) as &dyn Fn(&mut Value), "transports"),
            (&|it| it["registrationId"] = "".into(), "registrationId"),
            (&|it| it["transports"]["FCM"][0]["ttl"] = "soon".into(), "ttl"),
            (&|it| it["clientDescription"]["aesKey"] = "AAAA".into(), "aesKey"),
            (&|it| it["clientDescription"]["cryptoMethod"] = "0x71".into(), "cryptoMethod"),
            (&|it| *it = json!([]), "body"),
        ] {
            assert_eq!(wrong(change).as_deref(), Some(target));
        }
    }

    #[test]
    fn a_device_without_a_chat_template_is_woken_for_calls() {
        let mut body = ios();
        body["clientDescription"]["templateKey"] = "AcsIos.AcsNotify_Calls".into();
        assert_eq!(parse(&body).unwrap().purpose, Purpose::Calls);
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = Registration::parse(&body);
        }
    }
}
