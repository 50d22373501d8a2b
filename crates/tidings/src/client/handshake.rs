//! The client's half of the WebSocket handshake (RFC 6455 section 4.1), as values.
//!
//! The token travels in a header, not in the URL, which proxies like to log.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Secret;
use wire::Endpoint;

/// What is asked of the server.
pub struct Handshake {
    /// The path and query below the endpoint.
    pub path: String,
    /// The token; none for a recovery, which has its own.
    pub token: Option<Secret>,
    /// The subprotocol to offer.
    pub subprotocol: Option<&'static str>,
    /// 16 random bytes.
    pub nonce: [u8; 16],
}

impl Handshake {
    /// The request, without a body.
    ///
    /// # Errors
    /// When a part cannot stand in a request.
    pub fn request<B: Default>(&self, endpoint: &Endpoint) -> axum::http::Result<Request<B>> {
        let mut request = Request::get(format!("{}{}", endpoint.base(), self.path))
            .header(HOST, endpoint.authority())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, self.key());
        if let Some(name) = self.subprotocol {
            request = request.header(SEC_WEBSOCKET_PROTOCOL, name);
        }
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(B::default())
    }

    /// Checks the headers of an answer with the status 101.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if !value(UPGRADE).is_some_and(|it| it.eq_ignore_ascii_case("websocket")) {
            return Err("it upgrades to something other than a WebSocket");
        }
        if value(SEC_WEBSOCKET_ACCEPT) != Some(&accept_for(&self.key())) {
            return Err("it does not answer the key of this handshake");
        }
        match (self.subprotocol, value(SEC_WEBSOCKET_PROTOCOL)) {
            (None, None) => Ok(()),
            (Some(offered), Some(chosen)) if chosen.eq_ignore_ascii_case(offered) => Ok(()),
            (Some(_), _) => Err("it does not speak the subprotocol; choose another --protocol"),
            (None, Some(_)) => Err("it chose a subprotocol that was not offered"),
        }
    }

    fn key(&self) -> String {
        STANDARD.encode(self.nonce)
    }
}

/// The answer to a key (RFC 6455 section 4.2.2).
fn accept_for(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(subprotocol: Option<&'static str>) -> Handshake {
        // RFC 6455 section 1.3
        let nonce = *b"the sample nonce";
        Handshake { path: "/p?q".to_owned(), token: Some(Secret::new("t")), subprotocol, nonce }
    }

    #[test]
    fn the_request_has_what_a_server_needs_and_hides_the_token() {
        let endpoint = Endpoint::parse("https://h:8443/base").unwrap();
        let request: Request<()> = handshake(Some("x")).request(&endpoint).unwrap();
        assert_eq!(request.uri(), "/base/p?q");
        for (name, value) in [
            ("host", "h:8443"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "x"),
            ("authorization", "Bearer t"),
        ] {
            assert_eq!(request.headers()[name], value, "{name}");
        }
        assert!(!format!("{request:?}").contains("Bearer"));
    }

    #[test]
    fn an_answer_must_fit_the_question() {
        let answer = |accept: &'static str, chosen: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(accept));
            if let Some(chosen) = chosen {
                headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
            }
            headers
        };
        let good = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!(handshake(Some("x")).check(&answer(good, Some("X"))), Ok(()));
        assert_eq!(handshake(None).check(&answer(good, None)), Ok(()));
        for (subprotocol, headers) in [
            (None, answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", None)),
            (None, answer(good, Some("x"))),
            (Some("x"), answer(good, None)),
            (Some("x"), answer(good, Some("y"))),
            (None, HeaderMap::new()),
        ] {
            assert!(handshake(subprotocol).check(&headers).is_err(), "{headers:?}");
        }
    }
}
