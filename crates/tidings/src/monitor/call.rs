//! What is known of a call besides its operation, in the words of the tables.

use std::time::Duration;

use ::monitor::cause;
use axum::http::header::{LOCATION as LOCATION_HEADER, USER_AGENT};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use communication::identity::Granted;
use edge::respond::Refused;
use kernel::Timestamp;
use percent_encoding::percent_decode_str;

use super::claims::{Bearer, Claims};

/// Where everything happens, as tables tell it.
pub(super) const LOCATION: &str = "local";
/// A path longer than this is cut: the caller chooses its length.
const PATH_LIMIT: usize = 512;
const NAME_LIMIT: usize = 100;

/// A request on its way.
pub(super) struct Begun {
    pub time: Timestamp,
    pub method: Method,
    pub uri: Uri,
    pub template: String,
    pub peer: String,
    pub id: String,
    pub sdk: String,
    pub bearer: Bearer,
}

/// A call that was answered.
pub(super) struct Call {
    pub begun: Begun,
    pub status: u16,
    /// Why it was refused: what the caller was told, what the operator alone may read, what the token
    /// said, and the cause in a word.
    pub reason: String,
    pub took: Duration,
    pub claims: Option<Claims>,
    /// The address of what was made.
    pub made: String,
    pub granted: Option<Granted>,
}

impl Call {
    pub(super) fn answered(begun: Begun, response: &Response, now: Timestamp) -> Self {
        let status = response.status().as_u16();
        let claims = begun.bearer.claims();
        let refused = response.extensions().get::<Refused>().map(|Refused(error)| error);
        let mut reason = refused.map(|error| error.message().to_owned()).unwrap_or_default();
        if let Some(context) = refused.and_then(|error| error.operator_context()) {
            reason.push_str(&format!(" ({context})"));
        }
        if let (401 | 403, Some(claims)) = (status, &claims) {
            reason.push_str(&format!(" {}", claims.tell()));
        }
        let made = response.headers().get(LOCATION_HEADER);
        let made = made.and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let reason = cause::told(reason, refused.and_then(|error| error.cause()));
        let granted = response.extensions().get::<Granted>().cloned();
        let took = now.since(begun.time);
        Self { begun, status, reason, took, claims, made, granted }
    }

    pub(super) fn result(&self) -> String {
        if self.status < 400 { "Succeeded" } else { "Failed" }.to_owned()
    }

    pub(super) fn level(&self) -> String {
        match self.status {
            ..400 => "Informational",
            400..500 => "Warning",
            _ => "Error",
        }
        .to_owned()
    }

    pub(super) fn path(&self) -> String {
        self.begun.uri.path().chars().take(PATH_LIMIT).collect()
    }

    pub(super) fn user(&self) -> String {
        self.claims.as_ref().map(Claims::user).unwrap_or_default()
    }

    pub(super) fn millis(&self) -> Option<i64> {
        millis(self.took)
    }

    /// The part after `name` in the address of what was made.
    pub(super) fn made(&self, name: &str) -> Option<String> {
        let mut parts = self.made.split('/');
        parts.find(|part| *part == name)?;
        parts.next().map(decoded)
    }
}

/// A span as tables have it.
pub(super) fn millis(span: Duration) -> Option<i64> {
    i64::try_from(span.as_millis()).ok()
}

/// A part of a path as it was meant.
pub(super) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().chars().take(PATH_LIMIT).collect()
}

/// The client library, such as `azsdk-js-communication-chat/1.6.0`.
pub(super) fn sdk(headers: &HeaderMap) -> String {
    let names = ["x-ms-useragent", USER_AGENT.as_str()];
    let agents = names.into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    let found = agents.flat_map(|agent| agent.split(' ')).find(|it| it.starts_with("azsdk-"));
    found.unwrap_or_default().chars().take(NAME_LIMIT).collect()
}

/// What the library runs on, such as `Node/22` or `Python/3.12.3`.
pub(super) fn platform(headers: &HeaderMap) -> String {
    const KNOWN: [&str; 5] = ["Node/", "Python/", "Java/", "Go/", ".NET/"];
    let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let words = agent.split([' ', '(', ')', ';']);
    let found = words.into_iter().find(|it| KNOWN.iter().any(|known| it.starts_with(known)));
    let browser = || agent.starts_with("Mozilla/").then_some("Browser");
    found.or_else(browser).unwrap_or_default().chars().take(NAME_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_library_and_what_it_runs_on() {
        let mut headers = HeaderMap::new();
        let agent = "azsdk-js-communication-chat/1.6.0 core-rest-pipeline/1.22.2 Node/22.1 (x64)";
        headers.insert(USER_AGENT, agent.parse().unwrap());
        assert_eq!(sdk(&headers), "azsdk-js-communication-chat/1.6.0");
        assert_eq!(platform(&headers), "Node/22.1");
        headers.insert(USER_AGENT, "Mozilla/5.0 (X11)".parse().unwrap());
        headers.insert("x-ms-useragent", "azsdk-js-chat/1 x".parse().unwrap());
        assert_eq!(
            (sdk(&headers), platform(&headers)),
            ("azsdk-js-chat/1".into(), "Browser".into())
        );
        assert_eq!(sdk(&HeaderMap::new()), "");
    }

    #[test]
    fn parts_of_paths_are_decoded_and_bounded() {
        assert_eq!(decoded("19%3Aabc%40thread.v2"), "19:abc@thread.v2");
        assert_eq!(decoded(&"a".repeat(5_000)).len(), PATH_LIMIT);
    }
}
