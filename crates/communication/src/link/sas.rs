//! The tokens that open a hub: `SharedAccessSignature sr=…&sig=…&se=…&skn=…`. Pure.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::{Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::connection::HubConnection;

/// What `encodeURIComponent` leaves alone, as the official JavaScript client writes tokens.
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

/// The value of `Authorization` for everything below the endpoint, until `expires`.
pub(crate) fn token(connection: &HubConnection, expires: Timestamp) -> Secret {
    let address = format!("{}/", connection.endpoint).to_lowercase();
    let resource = utf8_percent_encode(&address, COMPONENT).to_string();
    let expires = expires.as_secs();
    let signature = sign(&connection.key, &resource, expires);
    let signature = utf8_percent_encode(&signature, COMPONENT);
    let name = utf8_percent_encode(&connection.key_name, COMPONENT);
    Secret::new(format!(
        "SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={name}"
    ))
}

/// The resource is signed as it stands in the token, encoded.
fn sign(key: &Secret, resource: &str, expires: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{resource}\n{expires}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation of HMAC, for the form that the JavaScript client writes.
    #[test]
    fn a_token_is_the_one_that_the_official_client_would_make() {
        let text = "Endpoint=sb://localhost:8443/;SharedAccessKeyName=a b;SharedAccessKey=abc+/=";
        let connection = HubConnection::parse(text).unwrap();
        let token = token(&connection, Timestamp::from_secs(1_900_000_000));
        assert_eq!(
            token.expose(),
            "SharedAccessSignature sr=https%3A%2F%2Flocalhost%3A8443%2F\
             &sig=fIfIsERPuF5MBE6n1f%2F2OL%2BDLy1V8tO6pP7boLJFzms%3D&se=1900000000&skn=a%20b"
        );
    }
}
