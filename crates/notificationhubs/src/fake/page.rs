//! The page that draws what arrived as a phone would: `page.html`, which needs nothing from elsewhere
//! and asks the inbox by long polls.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("page.html");

/// Notifications come from anybody who may send; the page shows them as text, and this keeps a
/// mistake in it from loading or sending anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `GET /fake-push`
pub(super) async fn show() -> Response {
    let mut response = Html(PAGE).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::PAGE;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_shows_text_as_text() {
        for forbidden in ["http://", "https://", "src=\"", "innerHTML", "@import", "url("] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
        for needed in ["lang=\"en\"", "prefers-color-scheme", "aria-live", "prefers-reduced-motion"]
        {
            assert!(PAGE.contains(needed), "{needed}");
        }
    }
}
