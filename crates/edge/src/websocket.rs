//! The WebSocket handshake on the HTTP side (RFC 6455 section 4.2).

use axum::body::Body;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Checks that the request is a WebSocket handshake (RFC 6455 section 4.2.1) and returns its key.
///
/// # Errors
/// The sentence that says what is wrong.
pub fn websocket_key(headers: &HeaderMap) -> Result<String, &'static str> {
    let has = |name: &HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted)))
    };
    if !has(&CONNECTION, "upgrade") || !has(&UPGRADE, "websocket") {
        return Err(
            "This address takes WebSocket connections only, and the request is plain HTTP. \
             Connect with a WebSocket client; behind a proxy, let it pass the headers Connection \
             and Upgrade.",
        );
    }
    if !has(&SEC_WEBSOCKET_VERSION, "13") {
        return Err("The header Sec-WebSocket-Version must be 13.");
    }
    let key = headers.get(&SEC_WEBSOCKET_KEY).and_then(|value| value.to_str().ok());
    let key = key.unwrap_or_default();
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(key.to_owned()),
        _ => Err("The header Sec-WebSocket-Key must be 16 bytes in base64."),
    }
}

/// The answer that makes the connection a WebSocket.
pub fn switching_protocols(key: &str, subprotocol: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&accept_for(key)).expect("base64 is a header value");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    response
}

/// The answer to a handshake key (RFC 6455 section 4.2.2).
fn accept_for(key: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_key_of_the_rfc() {
        // RFC 6455 section 1.3
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_handshake_needs_all_its_headers() {
        let whole = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = |without: Option<usize>| -> HeaderMap {
            let kept = whole.iter().enumerate().filter(|(index, _)| Some(*index) != without);
            kept.map(|(_, (name, value))| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        assert!(websocket_key(&headers(None)).is_ok());
        for (without, (name, _)) in whole.iter().enumerate() {
            assert!(websocket_key(&headers(Some(without))).is_err(), "{name}");
        }
    }
}
