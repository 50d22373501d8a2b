//! Answers and refusals, with the headers that every answer of the service has.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use edge::{Envelope, Rejection, RequestId};
use kernel::{Error, Timestamp};

use crate::entry::{XML_TYPE, write_error};

const TRACKING_ID: HeaderName = HeaderName::from_static("trackingid");
const CORRELATION: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");

/// An id that is longer, or of other characters, is somebody's who tries something.
const MAX_TRACKING: usize = 128;

/// What finds a request in logs: the client's own ids where it sends some.
pub(super) struct Tracking {
    tracking: String,
    correlation: String,
}

impl Tracking {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let sent = |name: &HeaderName| {
            let text = headers.get(name)?.to_str().ok()?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            let fits = (1..=MAX_TRACKING).contains(&text.len()) && text.bytes().all(plain);
            fits.then(|| text.to_owned())
        };
        let fresh = || RequestId::random().as_str().to_owned();
        Self {
            tracking: sent(&TRACKING_ID).unwrap_or_else(fresh),
            correlation: sent(&CORRELATION).unwrap_or_else(fresh),
        }
    }

    pub(super) fn answer(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for (name, value) in [(TRACKING_ID, self.tracking), (CORRELATION, self.correlation)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// The refusal in the service's own form; status and what the log says are of the edge.
    pub(super) fn refuse(self, error: Error, now: Timestamp) -> Response {
        let message = error.message().to_owned();
        let mut response = Rejection::new(error, Envelope::Empty).into_response();
        let text = write_error(response.status().as_u16(), &message, &self.tracking, now);
        *response.body_mut() = Body::from(text);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(XML_TYPE));
        self.answer(response)
    }
}

/// An answer with a body.
pub(super) fn with_body(content_type: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

/// An answer without a body; the clients expect its type even so.
pub(super) fn empty(status: StatusCode) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(XML_TYPE))]).into_response()
}

/// 201 for something that has an address.
pub(super) fn created(location: &str) -> Response {
    let mut response = empty(StatusCode::CREATED);
    put(&mut response, LOCATION, location);
    response
}

/// Adds a header, unless its value can be none.
pub(super) fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
