//! Reconnection tokens: who may come back to a reliable connection.
//!
//! What can be recovered lives in this process's memory, so the key that tokens are made with does
//! too. A token needs no expiry: it is worth nothing once its connection is gone.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::ConnectionId;

/// Makes and checks the tokens of one process.
#[derive(Debug)]
pub(crate) struct ReconnectionTokens(hmac::Key);

impl ReconnectionTokens {
    pub(crate) fn new() -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random);
        Self(key.expect("the system's random source answers"))
    }

    /// The token of a connection.
    pub(crate) fn issue(&self, id: ConnectionId) -> Box<str> {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, id.as_str().as_bytes())).into()
    }

    /// Whether a token is that of a connection; takes the same time whatever is wrong.
    pub(crate) fn holds(&self, id: ConnectionId, token: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        hmac::verify(&self.0, id.as_str().as_bytes(), &tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_its_connection_only() {
        let tokens = ReconnectionTokens::new();
        let (one, other) = (id('A'), id('B'));
        let token = tokens.issue(one);
        assert!(tokens.holds(one, &token));
        assert!(!tokens.holds(other, &token));
        assert!(!ReconnectionTokens::new().holds(one, &token));
        assert!(!tokens.holds(one, "") && !tokens.holds(one, "%%%"));
    }

    fn id(fill: char) -> ConnectionId {
        ConnectionId::parse(&fill.to_string().repeat(24)).unwrap()
    }
}
