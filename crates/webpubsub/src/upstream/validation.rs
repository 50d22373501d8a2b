//! The handshake before a handler gets its first event: proof that it wants events of this service,
//! so that nobody can point us at a server that does not.
//!
//! Source: CloudEvents web hooks 1.0, section 4, with the header `ce-awpsversion` that the handlers
//! of this service look for. Callbacks and request rates are not part of it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use kernel::Timestamp;

use super::request::{AWPS_VERSION, AWPS_VERSION_VALUE, REQUEST_ORIGIN};
use super::template::UrlTemplate;

/// What stands for the event in the URL of a handshake.
pub const EVENT: &str = "validate";

/// How long a handler that passed is not asked again.
const PASSED_FOR: Duration = Duration::from_secs(60 * 60);
/// How long one that failed is not asked again: long enough that a crowd of clients does not turn
/// into a crowd of handshakes, short enough for somebody who has just started the handler.
const FAILED_FOR: Duration = Duration::from_secs(3);

const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");

/// As much of a handler's own words as belongs into a message.
const SHOWN: usize = 200;

/// What a handshake led to, for as long as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Passed, or why not.
    pub outcome: Result<(), String>,
    until: Timestamp,
}

impl Verdict {
    /// A verdict that was reached at `now`.
    pub fn new(outcome: Result<(), String>, now: Timestamp) -> Self {
        let lasts = if outcome.is_ok() { PASSED_FOR } else { FAILED_FOR };
        Self { outcome, until: now + lasts }
    }

    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// The handshake's request.
pub fn request(url: Uri, origin: &HeaderValue) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::OPTIONS;
    *request.uri_mut() = url;
    request.headers_mut().insert(REQUEST_ORIGIN, origin.clone());
    request.headers_mut().insert(AWPS_VERSION, AWPS_VERSION_VALUE);
    request
}

/// Judges the answer: any 2xx with `WebHook-Allowed-Origin` naming the service's host, with or
/// without its port, or `*`. There may be several such headers, and commas within one.
///
/// # Errors
/// The sentence for the log, in the service's own words.
pub fn judge(
    handler: &UrlTemplate,
    origin: &HeaderValue,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), String> {
    if !status.is_success() {
        return Err(format!("Abuse protection for '{handler}' failed: {}.", status.as_u16()));
    }
    let origin = origin.to_str().unwrap_or_default();
    let host = origin.rsplit_once(':').map_or(origin, |(host, _)| host);
    let values = headers.get_all(ALLOWED_ORIGIN).iter().filter_map(|value| value.to_str().ok());
    let allowed: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let ours = |value: &&str| {
        *value == "*" || value.eq_ignore_ascii_case(origin) || value.eq_ignore_ascii_case(host)
    };
    if allowed.iter().any(ours) {
        return Ok(());
    }
    let shown: String = allowed.join(", ").chars().take(SHOWN).collect();
    Err(format!(
        "Abuse protection for '{handler}' missing allowed origins: {shown}. The header \
         WebHook-Allowed-Origin must hold {origin} or *."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, allowed: &[&str]) -> Result<(), String> {
        let value = |text: &&str| (ALLOWED_ORIGIN, HeaderValue::from_str(text).unwrap());
        let headers = allowed.iter().map(value).collect();
        let handler = UrlTemplate::parse("http://h/{event}?code=hidden").unwrap();
        let origin = HeaderValue::from_static("Local.example:8080");
        judge(&handler, &origin, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn the_request_says_who_asks() {
        let origin = HeaderValue::from_static("local.example");
        let request = request(Uri::from_static("http://h/validate"), &origin);
        assert_eq!((request.method(), request.uri().path()), (&Method::OPTIONS, "/validate"));
        assert_eq!(request.headers()["webhook-request-origin"], "local.example");
        assert_eq!(request.headers()["ce-awpsversion"], "1.0");
    }

    #[test]
    fn a_handler_passes_by_naming_us_or_everyone() {
        for (status, allowed) in [
            (200, &["*"][..]),
            (204, &["local.EXAMPLE:8080"]),
            (200, &["local.example"]),
            (200, &["other.example, local.example"]),
            (299, &["other.example", "local.example"]),
        ] {
            assert_eq!(judged(status, allowed), Ok(()), "{status} {allowed:?}");
        }
    }

    #[test]
    fn every_other_answer_fails_it() {
        for (status, allowed, says) in [
            (404, &["*"][..], "'http://h/{event}' failed: 404."),
            (302, &["*"], "failed: 302."),
            (500, &[], "failed: 500."),
            (200, &[], "missing allowed origins: ."),
            (200, &["other.example", "a.b"], "missing allowed origins: other.example, a.b."),
            (200, &["*.example"], "must hold Local.example:8080 or *"),
        ] {
            let reason = judged(status, allowed).unwrap_err();
            assert!(reason.contains(says) && !reason.contains("hidden"), "{reason}");
        }
    }

    #[test]
    fn a_pass_holds_for_an_hour_and_a_failure_for_seconds() {
        let now = Timestamp::from_secs(1000);
        let passed = Verdict::new(Ok(()), now);
        assert!(passed.holds(now + PASSED_FOR - Duration::from_micros(1)));
        assert!(!passed.holds(now + PASSED_FOR));
        let failed = Verdict::new(Err(String::new()), now);
        assert!(failed.holds(now + FAILED_FOR - Duration::from_micros(1)));
        assert!(!failed.holds(now + FAILED_FOR));
    }
}
