//! Whether a request comes from a page of ours.
//!
//! The cookie is not sent with requests that another site begins, but another port of the same host is
//! the same site. Browsers tell the origin of what changes something, and no page can choose it.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method};
use kernel::{Error, ErrorKind, Result};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host that a request names, with the port if it names one.
pub(crate) fn host(parts: &Parts) -> &str {
    let header = parts.headers.get(HOST).and_then(|it| it.to_str().ok());
    header.or_else(|| parts.uri.authority().map(|it| it.as_str())).unwrap_or_default()
}

/// Refuses what a page of another origin has sent.
///
/// # Errors
/// `Forbidden`, with the cure.
pub(crate) fn check(parts: &Parts) -> Result<()> {
    let text = |name: &HeaderName| parts.headers.get(name).map(|it| it.to_str().unwrap_or("?"));
    let site = text(&SEC_FETCH_SITE);
    let strange = site.is_some_and(|site| site != "same-origin" && site != "none");
    let own = match text(&ORIGIN) {
        Some(origin) => origin.split_once("://").is_some_and(|(_, it)| it == host(parts)),
        // Reading needs none: what another origin asks for, the browser does not show it.
        None => parts.method == Method::GET || parts.method == Method::HEAD,
    };
    if own && !strange {
        return Ok(());
    }
    let message = "Requests to the console come from its own page. Open it at the address of the \
                   link that `tidings console` prints; a proxy in between must pass Host unchanged.";
    Err(Error::new(ErrorKind::Forbidden, "OtherOrigin", message).target("Origin"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn checked(method: Method, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).header(HOST, "localhost:8443");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn changes_need_the_own_origin() {
        let own = ("origin", "https://localhost:8443");
        assert!(checked(Method::POST, &[own]));
        assert!(checked(Method::POST, &[own, ("sec-fetch-site", "same-origin")]));
        for headers in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://localhost:3000")],
            &[("origin", "https://localhost:8443.example")],
            &[("origin", "https://evil.example/localhost:8443")],
            &[own, ("sec-fetch-site", "same-site")],
        ] {
            assert!(!checked(Method::POST, headers), "{headers:?}");
        }
    }

    #[test]
    fn reading_needs_no_origin_but_refuses_another() {
        assert!(checked(Method::GET, &[]));
        assert!(checked(Method::GET, &[("sec-fetch-site", "same-origin")]));
        assert!(!checked(Method::GET, &[("sec-fetch-site", "same-site")]));
        assert!(!checked(Method::GET, &[("origin", "http://localhost:1")]));
    }
}
