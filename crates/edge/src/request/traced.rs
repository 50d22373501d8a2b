//! The journey of a request: begun with it, put into the surroundings of its handler, ended with its
//! answer.
//!
//! Only requests that a service notes something of, and those that are refused, leave a trace: an
//! application may list things all day without filling the record.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use kernel::milestone::{Note, Outcome, Stage};
use kernel::{Error, Journey, Milestones, Timestamp, TraceContext};

use super::{LogLine, RequestId, shortened};
use crate::respond::Refused;

/// The header of the W3C by which callers tell their journey.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of the same working group (Trace Context level 2) by which they learn ours.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const SERVICE: &str = "edge";

/// A request on its way.
pub(super) struct Traced {
    pub(super) journey: Journey,
    begun: Timestamp,
    /// The caller tells a journey of its own.
    has_caller: bool,
}

impl Traced {
    /// Begins with the request. Without a caller's journey, the id of the request is that of the
    /// journey, too: who has the one in hand finds the other.
    pub(super) fn begin(milestones: &Milestones, headers: &HeaderMap, id: &RequestId) -> Self {
        let caller = headers.get(&TRACEPARENT).and_then(|value| value.to_str().ok());
        let caller = caller.and_then(TraceContext::parse);
        let journey = milestones.begin(caller, id.trace());
        Self { begun: journey.now(), has_caller: caller.is_some(), journey }
    }

    /// Ends with the answer.
    pub(super) fn end(
        &self,
        line: &LogLine,
        response: &mut Response,
        id: &RequestId,
        client_id: Option<&HeaderValue>,
    ) {
        if let Some(note) = self.last_note(line, response) {
            let client_id = client_id.and_then(|value| value.to_str().ok()).unwrap_or_default();
            let note = note.subject("request", id.as_str()).subject("client request", client_id);
            self.journey.end(SERVICE, note.took(self.journey.since(self.begun)));
        }
        if self.has_caller
            && let Ok(value) = HeaderValue::from_str(&self.journey.context().to_string())
        {
            response.headers_mut().insert(TRACERESPONSE, value);
        }
    }

    fn last_note(&self, line: &LogLine, response: &Response) -> Option<Note> {
        let (status, method) = (response.status(), &line.method);
        let asked = format!("{method} {}", shortened(line.uri.path()));
        // Whether something exists is often asked with HEAD, and 404 is an answer to that.
        match response.extensions().get::<Refused>() {
            Some(Refused(error)) if method != Method::HEAD && self.journey.is_recorded() => {
                Some(Note::new(Stage::Refused, refusal(&asked, status, error)).failed())
            }
            _ if self.journey.has_notes() => {
                let failed = status.is_client_error() || status.is_server_error();
                let outcome = if failed { Outcome::Failed } else { Outcome::Done };
                Some(Note::new(Stage::Answered, format!("{asked}: {status}")).outcome(outcome))
            }
            _ => None,
        }
    }
}

fn refusal(asked: &str, status: StatusCode, error: &Error) -> String {
    let (status, code, message) = (status.as_u16(), error.code(), error.message());
    match error.operator_context() {
        Some(context) => format!("{asked}: {status} {code}: {message} ({context})"),
        None => format!("{asked}: {status} {code}: {message}"),
    }
}
