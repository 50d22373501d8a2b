//! The tokens of Service Bus, which Notification Hubs takes too:
//! `SharedAccessSignature sr=…&sig=…&se=…&skn=…`.
//!
//! Only making one is here. Checking one is the business of the service that it opens: it verifies the
//! bytes that were sent, since every client encodes the resource in a way of its own.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `encodeURIComponent` leaves as it is beside letters and digits: the official JavaScript client
/// writes tokens with it.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The value of `Authorization` for `resource` and everything below it, such as
/// `https://localhost:8443/hub`, until `expires`.
///
/// `policy` is the name of the rule that `key` belongs to. The key signs as the bytes of its text, not
/// as what the text may be the base64 of, and what is signed is the resource as it stands in the token:
/// in lower case, and encoded.
pub fn shared_access_signature(
    resource: &str,
    policy: &str,
    key: &Secret,
    expires: Timestamp,
) -> Secret {
    let resource = utf8_percent_encode(&resource.to_lowercase(), COMPONENT).to_string();
    let expires = expires.as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{resource}\n{expires}").as_bytes()));
    let signature = utf8_percent_encode(&signature, COMPONENT);
    let policy = utf8_percent_encode(policy, COMPONENT);
    Secret::new(format!(
        "SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={policy}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation of HMAC, for the form that the JavaScript client writes.
    #[test]
    fn it_is_the_one_that_the_official_client_would_make() {
        let (key, expires) = (Secret::new("abc+/="), Timestamp::from_secs(1_900_000_000));
        let made = shared_access_signature("https://LocalHost:8443/", "a b", &key, expires);
        assert_eq!(
            made.expose(),
            "SharedAccessSignature sr=https%3A%2F%2Flocalhost%3A8443%2F\
             &sig=fIfIsERPuF5MBE6n1f%2F2OL%2BDLy1V8tO6pP7boLJFzms%3D&se=1900000000&skn=a%20b"
        );
    }
}
