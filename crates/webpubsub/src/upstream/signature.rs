//! `ce-signature`: how a handler knows that an event is ours.
//!
//! Source: the service's reference of CloudEvents attributes. Only the connection id is signed, so
//! the signature vouches for the sender, not for the content.

use std::fmt::Write as _;

use auth::AccessKeys;
use aws_lc_rs::hmac;
use kernel::Secret;

/// Signs a connection id with both keys, so that either may be rotated: `sha256=<hex>,sha256=<hex>`,
/// the primary key's first.
pub fn sign(keys: &AccessKeys, connection_id: &str) -> String {
    let mut text = String::with_capacity(2 * (7 + 64) + 1);
    append(&mut text, keys.primary(), connection_id);
    text.push(',');
    append(&mut text, keys.secondary(), connection_id);
    text
}

fn append(text: &mut String, key: &Secret, message: &str) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    text.push_str("sha256=");
    for byte in hmac::sign(&key, message.as_bytes()).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys_sign_the_connection_id() {
        let (primary, secondary) = ("a".repeat(32), "b".repeat(32));
        let keys = AccessKeys::new(Secret::new(primary), Secret::new(secondary)).unwrap();
        // printf 'connection-1' | openssl dgst -sha256 -hmac <key>
        let expected = "sha256=c83917f2b09c71e3a97a97262bd044c104c1b3605001bcef434671c8c4caa6df,\
                        sha256=a7c4c469170e87b23a03494e0c179b98f836b61bc66d665e76a1a401dc88df7f";
        assert_eq!(sign(&keys, "connection-1"), expected);
    }
}
