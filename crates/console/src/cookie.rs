//! The cookies: of a session, and of a sign-in that is with the identity provider.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use edge::Scheme;
use kernel::Secret;

/// Browsers keep cookies by host without the port; servers on other ports of one machine ask for their
/// own name by adding theirs, see [`name`].
const PREFIX: &str = "tidings-console";

/// What a cookie is for decides which requests carry it. No script reads any.
pub(crate) struct Cookie {
    suffix: &'static str,
    path: &'static str,
    same_site: &'static str,
}

/// Of a session: no request that another site has begun carries it.
pub(crate) const SESSION: Cookie = Cookie { suffix: "", path: "/console", same_site: "Strict" };

/// Of a sign-in that is with the identity provider: it is carried when the provider sends the browser
/// back, and by nothing else that another site begins.
pub(crate) const SIGN_IN: Cookie =
    Cookie { suffix: "-sign-in", path: "/console/oidc", same_site: "Lax" };

/// The name of the cookies for the host that a request names: with its port, so that two servers on one
/// machine do not sign one another out.
pub(crate) fn name(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{PREFIX}-{port}")
        }
        _ => PREFIX.to_owned(),
    }
}

impl Cookie {
    /// What a request carries.
    pub(crate) fn find<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        texts.flat_map(|text| text.split(';')).find_map(|pair| {
            let rest = pair.trim().strip_prefix(name)?.strip_prefix(self.suffix)?;
            rest.strip_prefix('=')
        })
    }

    /// Keeps a text in the browser, for a while.
    pub(crate) fn keep(
        &self,
        name: &str,
        text: &Secret,
        age: Duration,
        scheme: Scheme,
    ) -> HeaderValue {
        let mut value = self.write(name, text.expose(), age, scheme);
        value.set_sensitive(true);
        value
    }

    /// Makes the browser forget it.
    pub(crate) fn forget(&self, name: &str, scheme: Scheme) -> HeaderValue {
        self.write(name, "", Duration::ZERO, scheme)
    }

    fn write(&self, name: &str, text: &str, age: Duration, scheme: Scheme) -> HeaderValue {
        let Self { suffix, path, same_site } = self;
        let age = age.as_secs();
        let secure = if scheme == Scheme::Https { "; Secure" } else { "" };
        let text = format!(
            "{name}{suffix}={text}; Path={path}; Max-Age={age}; HttpOnly; \
             SameSite={same_site}{secure}"
        );
        HeaderValue::try_from(text).expect("digits and base64url make a header value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_name_holds_the_port() {
        assert_eq!(name("localhost:8443"), "tidings-console-8443");
        for host in ["push.example.com", "[::1]", "host:", ""] {
            assert_eq!(name(host), PREFIX, "{host}");
        }
        assert_eq!(name("[::1]:80"), "tidings-console-80");
    }

    #[test]
    fn each_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; tidings-console-80=other"));
        let more = "tidings-console-8-sign-in=away; tidings-console-8=mine;c=d";
        headers.append(COOKIE, HeaderValue::from_static(more));
        assert_eq!(SESSION.find(&headers, "tidings-console-8"), Some("mine"));
        assert_eq!(SESSION.find(&headers, "tidings-console-80"), Some("other"));
        assert_eq!(SESSION.find(&headers, "tidings-console"), None);
        assert_eq!(SIGN_IN.find(&headers, "tidings-console-8"), Some("away"));
        assert_eq!(SIGN_IN.find(&headers, "tidings-console-80"), None);
    }

    #[test]
    fn scripts_and_other_sites_have_no_use_of_a_session_and_tls_is_kept() {
        let kept = SESSION.keep("n", &Secret::new("s"), HOUR, Scheme::Https);
        assert!(kept.is_sensitive());
        let expected = "n=s; Path=/console; Max-Age=3600; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(kept, expected);
        let plain = SESSION.keep("n", &Secret::new("s"), HOUR, Scheme::Http);
        assert!(!plain.to_str().unwrap().contains("Secure"));
        let forgotten = SESSION.forget("n", Scheme::Http);
        assert!(forgotten.to_str().unwrap().starts_with("n=; Path=/console; Max-Age=0;"));
    }

    #[test]
    fn a_sign_in_is_carried_back_from_the_provider_to_its_own_routes_alone() {
        let kept = SIGN_IN.keep("n", &Secret::new("s"), HOUR, Scheme::Https);
        let expected =
            "n-sign-in=s; Path=/console/oidc; Max-Age=3600; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(kept, expected);
    }
}
