//! The cookie of a session.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use edge::Scheme;
use kernel::Secret;

use crate::sign_in::SESSION_LIFETIME;

/// Browsers keep cookies by host without the port; servers on other ports of one machine ask for their
/// own name by adding theirs, see [`name`].
const PREFIX: &str = "tidings-console";

/// The cookie's name for the host that a request names: with its port, so that two servers on one
/// machine do not sign one another out.
pub(crate) fn name(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{PREFIX}-{port}")
        }
        _ => PREFIX.to_owned(),
    }
}

/// The session that a request carries.
pub(crate) fn session<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Keeps a session in the browser: no script reads it, and no request that another site has begun
/// carries it.
pub(crate) fn keep(name: &str, session: &Secret, scheme: Scheme) -> HeaderValue {
    let age = SESSION_LIFETIME.as_secs();
    let mut value = write(name, session.expose(), age, scheme);
    value.set_sensitive(true);
    value
}

/// Makes the browser forget the session.
pub(crate) fn forget(name: &str, scheme: Scheme) -> HeaderValue {
    write(name, "", 0, scheme)
}

fn write(name: &str, text: &str, age: u64, scheme: Scheme) -> HeaderValue {
    let secure = if scheme == Scheme::Https { "; Secure" } else { "" };
    let text =
        format!("{name}={text}; Path=/console; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).expect("digits and base64url make a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_holds_the_port() {
        assert_eq!(name("localhost:8443"), "tidings-console-8443");
        for host in ["push.example.com", "[::1]", "host:", ""] {
            assert_eq!(name(host), PREFIX, "{host}");
        }
        assert_eq!(name("[::1]:80"), "tidings-console-80");
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; tidings-console-80=other"));
        headers.append(COOKIE, HeaderValue::from_static("tidings-console-8=mine;c=d"));
        assert_eq!(session(&headers, "tidings-console-8"), Some("mine"));
        assert_eq!(session(&headers, "tidings-console-80"), Some("other"));
        assert_eq!(session(&headers, "tidings-console"), None);
    }

    #[test]
    fn scripts_and_other_sites_have_no_use_of_it_and_tls_is_kept() {
        let kept = keep("n", &Secret::new("s"), Scheme::Https);
        assert!(kept.is_sensitive());
        let expected = "n=s; Path=/console; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(kept, expected);
        assert!(!keep("n", &Secret::new("s"), Scheme::Http).to_str().unwrap().contains("Secure"));
        assert!(
            forget("n", Scheme::Http)
                .to_str()
                .unwrap()
                .starts_with("n=; Path=/console; Max-Age=0;")
        );
    }
}
