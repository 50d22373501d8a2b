//! Where a browser is reached, and the keys that it made for it.

use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, UnparsedPublicKey};
use axum::http::Uri;

use crate::push::key_text;
use crate::push::outcome::{Outcome, OutcomeName};

/// A subscription whose keys are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Where the push service takes messages for it.
    pub endpoint: Uri,
    /// The browser's public key (`p256dh`), as an uncompressed point.
    pub public_key: [u8; 65],
    /// The secret that it shares with the sender (`auth`).
    pub auth: [u8; 16],
}

impl Subscription {
    /// Reads a subscription as browsers give it; keys in base64url or base64, padded or not.
    ///
    /// # Errors
    /// The outcome of a handle that cannot be reached.
    pub fn parse(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self, Box<Outcome>> {
        let bad = |problem: &str| {
            let text = format!("the browser's subscription cannot be used: {problem}");
            Box::new(Outcome::of(OutcomeName::BadChannel, text))
        };
        let endpoint: Uri = endpoint.parse().map_err(|_| bad("its endpoint is no URL"))?;
        if endpoint.scheme_str() != Some("https") || endpoint.host().is_none() {
            return Err(bad("its endpoint does not begin with https://"));
        }
        let public_key = key_text::from_base64(p256dh).and_then(|it| it.try_into().ok());
        let public_key: [u8; 65] = public_key.ok_or_else(|| bad("p256dh has not 65 bytes"))?;
        let auth = key_text::from_base64(auth).and_then(|it| it.try_into().ok());
        let auth = auth.ok_or_else(|| bad("auth has not 16 bytes"))?;
        let point = UnparsedPublicKey::new(&ECDH_P256, public_key);
        if public_key[0] != 4 || ParsedPublicKey::try_from(&point).is_err() {
            return Err(bad("p256dh is no point of P-256"));
        }
        Ok(Self { endpoint, public_key, auth })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::push::webpush) const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    pub(in crate::push::webpush) const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn keys_are_read_in_every_form_of_base64() {
        let plain = Subscription::parse("https://push.example/x", P256DH, AUTH).unwrap();
        let standard = P256DH.replace('-', "+").replace('_', "/") + "=";
        let padded = AUTH.replace('_', "/") + "==";
        let other = Subscription::parse("https://push.example/x", &standard, &padded).unwrap();
        assert_eq!(plain, other);
    }

    #[test]
    fn what_cannot_be_reached_is_a_bad_handle() {
        let off_curve = key_text::to_base64url([4; 65]);
        for (endpoint, p256dh, auth, says) in [
            ("http://push.example/x", P256DH, AUTH, "https"),
            ("not a url", P256DH, AUTH, "no URL"),
            ("https://push.example", "AAAA", AUTH, "65 bytes"),
            ("https://push.example", &off_curve, AUTH, "no point"),
            ("https://push.example", P256DH, "AAAA", "16 bytes"),
        ] {
            let outcome = Subscription::parse(endpoint, p256dh, auth).unwrap_err();
            assert_eq!(outcome.name, OutcomeName::BadChannel);
            assert!(outcome.explanation.contains(says), "{}", outcome.explanation);
        }
    }
}
