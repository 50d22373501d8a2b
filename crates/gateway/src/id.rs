//! Names of connections and hubs.

use std::fmt;

use aws_lc_rs::rand::SecureRandom as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const RANDOM_BYTES: usize = 15;
const RAW_BYTES: usize = RANDOM_BYTES + 3;
const TEXT_BYTES: usize = RAW_BYTES / 3 * 4;

/// The name of one client connection: 24 characters of URL-safe base64, opaque to clients.
///
/// It carries 120 random bits, so it cannot be guessed, then the node and the shard that own the
/// connection, so a call that names a connection goes straight to its owner without any index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId([u8; TEXT_BYTES]);

impl ConnectionId {
    /// A fresh name for a connection on `shard` of `node`. It begins with a letter or digit, so that
    /// no command line takes it for an option.
    pub(crate) fn random(node: u16, shard: u8) -> Self {
        loop {
            let mut raw = [0; RAW_BYTES];
            let [random @ .., node_high, node_low, last] = &mut raw;
            aws_lc_rs::rand::SystemRandom::new()
                .fill(random)
                .expect("the system's random source answers");
            [*node_high, *node_low] = node.to_be_bytes();
            *last = shard;
            let mut text = [0; TEXT_BYTES];
            URL_SAFE_NO_PAD.encode_slice(raw, &mut text).expect("18 bytes are 24 characters");
            if text[0].is_ascii_alphanumeric() {
                return Self(text);
            }
        }
    }

    /// Reads a name that this program could have given; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; TEXT_BYTES] = text.as_bytes().try_into().ok()?;
        URL_SAFE_NO_PAD.decode_slice(bytes, &mut [0; RAW_BYTES]).ok()?;
        Some(Self(bytes))
    }

    /// The name as clients see it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }

    /// The shard that owns the connection.
    pub(crate) fn shard(&self) -> u8 {
        let mut raw = [0; RAW_BYTES];
        URL_SAFE_NO_PAD.decode_slice(self.0, &mut raw).expect("checked when the name was made");
        raw[RAW_BYTES - 1]
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A hub as the engine knows it: a small number in place of resource and hub name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HubId(pub(crate) u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_shard_and_survives_parsing() {
        for shard in [0, 1, 63] {
            let id = ConnectionId::random(7, shard);
            assert_eq!(id.shard(), shard);
            assert_eq!(ConnectionId::parse(id.as_str()), Some(id));
        }
    }

    #[test]
    fn no_name_looks_like_an_option() {
        let first = |_| ConnectionId::random(0, 0).0[0];
        assert!((0..1000).map(first).all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn other_texts_are_not_names() {
        for text in ["", "abc", "********** not base64 **", &"a".repeat(25)] {
            assert_eq!(ConnectionId::parse(text), None, "{text}");
        }
    }
}
