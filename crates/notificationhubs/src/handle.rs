//! A handle: how a push service names one device, in one normal form.
//!
//! Normalised on the way in, so that two handles are equal exactly when they are the same device: an
//! Apple token is upper-case hexadecimal, everything else is kept as it came. Whether a push service
//! still knows a handle is not known here.

use kernel::Result;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::Platform;
use crate::refusal::bad_request;

/// A handle that is longer is none of any push service; the store indexes them.
const MAX_BYTES: usize = 2048;

/// The address of a device at its push service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    platform: Platform,
    address: Box<str>,
    keys: Option<Box<BrowserKeys>>,
}

/// What a browser's subscription adds to its endpoint, in base64url as the browser gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrowserKeys {
    /// The browser's public key.
    pub p256dh: String,
    /// The secret that authenticates messages to the browser.
    pub auth: String,
}

impl Handle {
    /// A handle that is one text: a token, a channel URI, or Baidu's `userId-channelId`.
    ///
    /// # Errors
    /// `Invalid` when the text cannot be a handle of the platform, or the platform is
    /// [`Platform::Browser`], whose handles have three parts.
    pub fn new(platform: Platform, text: &str) -> Result<Self> {
        let text = text.trim();
        check(platform, text)?;
        let address = match platform {
            Platform::Apple => apple(text)?,
            Platform::Browser => return Self::from_subscription_text(text),
            Platform::Windows | Platform::Mpns => uri(text)?,
            Platform::Baidu if !text.contains('-') => {
                return Err(bad_request(
                    "A Baidu handle has the form userId-channelId; the hyphen is missing.",
                ));
            }
            _ => text.into(),
        };
        Ok(Self { platform, address, keys: None })
    }

    /// Baidu's handle from its two parts.
    ///
    /// # Errors
    /// `Invalid` when one is empty.
    pub fn baidu(user_id: &str, channel_id: &str) -> Result<Self> {
        let (user_id, channel_id) = (user_id.trim(), channel_id.trim());
        check(Platform::Baidu, user_id)?;
        check(Platform::Baidu, channel_id)?;
        Self::new(Platform::Baidu, &format!("{user_id}-{channel_id}"))
    }

    /// A browser's subscription.
    ///
    /// # Errors
    /// `Invalid` when the endpoint is no https URL or a key is missing.
    pub fn browser(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self> {
        let (endpoint, p256dh, auth) = (endpoint.trim(), p256dh.trim(), auth.trim());
        check(Platform::Browser, endpoint)?;
        if p256dh.is_empty() || auth.is_empty() {
            return Err(bad_request(
                "A browser's push channel needs endpoint, p256dh and auth; p256dh or auth is empty. \
                 Take all three from PushSubscription.toJSON().",
            ));
        }
        if p256dh.len() > MAX_BYTES || auth.len() > MAX_BYTES {
            return Err(bad_request("The keys of a browser's push channel are too long."));
        }
        let keys = BrowserKeys { p256dh: p256dh.to_owned(), auth: auth.to_owned() };
        Ok(Self { platform: Platform::Browser, address: uri(endpoint)?, keys: Some(keys.into()) })
    }

    /// A browser's subscription as the object `{endpoint, p256dh, auth}`; also in the form that a
    /// browser prints, with the keys within `keys`.
    ///
    /// # Errors
    /// As [`Handle::browser`].
    pub fn from_subscription(value: &Value) -> Result<Self> {
        let keys = value.get("keys").unwrap_or(value);
        let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text(value, "endpoint"), text(keys, "p256dh"), text(keys, "auth")) {
            (Some(endpoint), Some(p256dh), Some(auth)) => Self::browser(&endpoint, &p256dh, &auth),
            _ => Err(bad_request(
                "A browser's push channel is an object with the texts endpoint, p256dh and auth, or \
                 a string that holds this object as JSON.",
            )),
        }
    }

    fn from_subscription_text(text: &str) -> Result<Self> {
        Self::from_subscription(&serde_json::from_str(text).unwrap_or_default())
    }

    /// What the store has kept: parts that were a handle's once.
    pub(crate) fn stored(platform: Platform, address: String, keys: Option<BrowserKeys>) -> Self {
        Self { platform, address: address.into(), keys: keys.map(Box::new) }
    }

    /// Whose handle this is.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The token, channel URI or endpoint; what tells two devices of a platform apart.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The keys of a browser; no other platform has any.
    pub fn keys(&self) -> Option<&BrowserKeys> {
        self.keys.as_deref()
    }

    /// Baidu's user id and channel id. Neither is known to hold a hyphen; the last one parts them.
    pub fn baidu_parts(&self) -> (&str, &str) {
        self.address.rsplit_once('-').unwrap_or((&self.address, ""))
    }

    /// The JSON object of a browser's subscription.
    pub fn subscription(&self) -> Option<Value> {
        let keys = self.keys()?;
        Some(serde_json::json!({
            "endpoint": &*self.address, "p256dh": keys.p256dh, "auth": keys.auth,
        }))
    }
}

/// The addresses that a text in a lookup may mean: as it is, percent-decoded once, in upper case.
/// Clients differ in which they send (the JavaScript client encodes URIs, those for devices do not).
pub fn lookup_candidates(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut candidates = vec![text.to_owned()];
    if let Ok(decoded) = percent_decode_str(text).decode_utf8() {
        candidates.push(decoded.into_owned());
    }
    if text.bytes().all(|b| b.is_ascii_hexdigit()) {
        candidates.push(text.to_ascii_uppercase());
    }
    candidates.sort_unstable();
    candidates.dedup();
    candidates
}

fn check(platform: Platform, text: &str) -> Result<()> {
    let name = platform.format();
    if text.is_empty() {
        let message =
            format!("The {name} handle is empty; send the one that the device was given.");
        return Err(bad_request(message));
    }
    if text.len() > MAX_BYTES {
        let message = format!(
            "The {name} handle has {} bytes; a handle has at most {MAX_BYTES}.",
            text.len()
        );
        return Err(bad_request(message));
    }
    if text.chars().any(char::is_control) {
        return Err(bad_request(format!("The {name} handle holds a control character.")));
    }
    Ok(())
}

fn apple(text: &str) -> Result<Box<str>> {
    if text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_uppercase().into());
    }
    Err(bad_request(
        "The Apple device token is not hexadecimal of even length. Write the bytes of the token as \
         hexadecimal digits, without spaces and angle brackets.",
    ))
}

fn uri(text: &str) -> Result<Box<str>> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.into()),
        _ => Err(bad_request(
            "The push channel is not a URL; send the channel URI or endpoint that the device was \
             given, beginning with https://.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apple_tokens_are_upper_case_hexadecimal() {
        assert_eq!(Handle::new(Platform::Apple, " 62bc0f ").unwrap().address(), "62BC0F");
        for wrong in ["", "62b", "<62bc>", "xyzz"] {
            assert!(Handle::new(Platform::Apple, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_browser_is_an_object_or_a_text_that_holds_it() {
        let object = serde_json::json!({"endpoint":"https://p.example/1","p256dh":"P","auth":"A"});
        let handle = Handle::from_subscription(&object).unwrap();
        assert_eq!(Handle::new(Platform::Browser, &object.to_string()).unwrap(), handle);
        assert_eq!(handle.subscription(), Some(object));
        let printed = r#"{"endpoint":"https://p.example/1","keys":{"p256dh":"P","auth":"A"}}"#;
        assert_eq!(Handle::new(Platform::Browser, printed).unwrap(), handle);
        for wrong in ["https://p.example/1", "{}", r#"{"endpoint":"x","p256dh":"P","auth":"A"}"#] {
            assert!(Handle::new(Platform::Browser, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn baidu_handles_have_two_parts() {
        let handle = Handle::baidu("user-1", "345").unwrap();
        assert_eq!(handle.address(), "user-1-345");
        assert_eq!(handle.baidu_parts(), ("user-1", "345"));
        assert!(Handle::new(Platform::Baidu, "345").is_err());
        assert!(Handle::baidu("", "345").is_err());
    }

    #[test]
    fn a_lookup_takes_every_spelling_of_clients() {
        assert_eq!(lookup_candidates("62bc"), ["62BC", "62bc"]);
        let encoded = "https%3A%2F%2Fp.example%2F1";
        assert_eq!(lookup_candidates(encoded), [encoded, "https://p.example/1"]);
        assert_eq!(lookup_candidates("%zz"), ["%zz"]);
    }

    #[test]
    fn oversized_and_control_characters_are_refused() {
        assert!(Handle::new(Platform::FcmV1, &"x".repeat(MAX_BYTES + 1)).is_err());
        assert!(Handle::new(Platform::FcmV1, "a\u{0}b").is_err());
        assert!(Handle::new(Platform::Windows, "https://a b").is_err());
    }
}
