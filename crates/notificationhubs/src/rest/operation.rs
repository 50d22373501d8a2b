//! What a method and a path ask for. Pure.

use axum::http::Method;
use kernel::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use super::Query;
use crate::credential::Needed;
use crate::metrics::Request;
use crate::refusal::shown;

/// An operation of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateRegistrationId,
    CreateRegistration,
    PutRegistration(String),
    GetRegistration(String),
    DeleteRegistration(String),
    ListRegistrations,
    ListByTag(String),
    PutInstallation(String),
    GetInstallation(String),
    PatchInstallation(String),
    DeleteInstallation(String),
    Send,
    SendBatch,
    Schedule,
    Cancel(String),
    Telemetry(String),
    FeedbackContainer,
    /// The container itself, or one of its blobs.
    Feedback(Option<String>),
    Jobs,
}

/// What stands behind the name of a hub.
const COLLECTIONS: [&str; 9] = [
    "registrationids",
    "registrations",
    "tags",
    "installations",
    "messages",
    "schedulednotifications",
    "feedbackcontainer",
    "feedback",
    "jobs",
];

/// Whether a path may be one of the data plane.
pub(super) fn is_ours(path: &str) -> bool {
    let mut segments = path.split('/').filter(|it| !it.is_empty());
    let (_, collection) = (segments.next(), segments.next());
    collection.is_some_and(|it| COLLECTIONS.iter().any(|own| own.eq_ignore_ascii_case(it)))
}

impl Operation {
    /// Reads a method and path; also the name of the hub.
    ///
    /// # Errors
    /// `NotFound` for a path that is none, `MethodNotAllowed` for a method that it does not have.
    pub(super) fn parse(method: &Method, path: &str) -> Result<(String, Self)> {
        let segments: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let [hub, collection, rest @ ..] = &*segments else { return Err(unknown(method, path)) };
        let collection = collection.to_ascii_lowercase();
        let rest: Vec<String> = rest.iter().map(|segment| decoded(segment)).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let operation = Self::within(method, &collection, &rest);
        let operation = operation.ok_or_else(|| unknown(method, path))?;
        Ok((decoded(hub), operation))
    }

    fn within(method: &Method, collection: &str, rest: &[&str]) -> Option<Self> {
        let id = |make: fn(String) -> Self, id: &str| Some(make(id.to_owned()));
        match (collection, method.as_str(), rest) {
            ("registrationids", "POST", []) => Some(Self::CreateRegistrationId),
            ("registrations", "POST", []) => Some(Self::CreateRegistration),
            ("registrations", "GET", []) => Some(Self::ListRegistrations),
            ("registrations", "PUT", [it]) => id(Self::PutRegistration, it),
            ("registrations", "GET", [it]) => id(Self::GetRegistration, it),
            ("registrations", "DELETE", [it]) => id(Self::DeleteRegistration, it),
            // A tag may hold slashes, which not every client encodes.
            ("tags", "GET", [tag @ .., last]) if last.eq_ignore_ascii_case("registrations") => {
                (!tag.is_empty()).then(|| Self::ListByTag(tag.join("/")))
            }
            ("installations", "PUT", [it]) => id(Self::PutInstallation, it),
            ("installations", "GET", [it]) => id(Self::GetInstallation, it),
            ("installations", "PATCH", [it]) => id(Self::PatchInstallation, it),
            ("installations", "DELETE", [it]) => id(Self::DeleteInstallation, it),
            ("messages", "POST", []) => Some(Self::Send),
            ("messages", "POST", [batch]) if batch.eq_ignore_ascii_case("$batch") => {
                Some(Self::SendBatch)
            }
            ("messages", "GET", [it]) => id(Self::Telemetry, it),
            ("schedulednotifications", "POST", []) => Some(Self::Schedule),
            ("schedulednotifications", "DELETE", [it]) => id(Self::Cancel, it),
            ("feedbackcontainer", "GET", []) => Some(Self::FeedbackContainer),
            ("feedback", "GET", []) => Some(Self::Feedback(None)),
            ("feedback", "GET", [blob]) => Some(Self::Feedback(Some((*blob).to_owned()))),
            ("jobs", "GET" | "POST", _) => Some(Self::Jobs),
            _ => None,
        }
    }

    /// The right that it asks for; the container of feedback has a signature of its own.
    pub(super) fn needed(&self, query: &Query) -> Option<Needed> {
        Some(match self {
            // One's own devices are found by a handle that only they know; others by listing.
            Self::ListRegistrations if query.get("$filter").is_some_and(|it| !by_tag(it)) => {
                Needed::LISTEN
            }
            Self::ListRegistrations | Self::ListByTag(_) | Self::Jobs => Needed::MANAGE,
            Self::Send | Self::SendBatch | Self::Schedule | Self::Cancel(_) => Needed::SEND,
            Self::Telemetry(_) | Self::FeedbackContainer => Needed::TELEMETRY,
            Self::Feedback(_) => return None,
            _ => Needed::LISTEN,
        })
    }

    /// What it is counted as.
    pub(super) fn request(&self) -> Request {
        match self {
            Self::Send | Self::SendBatch => Request::Send,
            Self::Schedule => Request::Schedule,
            Self::Cancel(_) => Request::Cancel,
            Self::CreateRegistration => Request::RegistrationCreate,
            Self::PutRegistration(_) => Request::RegistrationPut,
            Self::GetRegistration(_) | Self::ListRegistrations | Self::ListByTag(_) => {
                Request::RegistrationGet
            }
            Self::DeleteRegistration(_) => Request::RegistrationDelete,
            Self::PutInstallation(_) => Request::InstallationPut,
            Self::GetInstallation(_) => Request::InstallationGet,
            Self::PatchInstallation(_) => Request::InstallationPatch,
            Self::DeleteInstallation(_) => Request::InstallationDelete,
            Self::CreateRegistrationId
            | Self::Telemetry(_)
            | Self::FeedbackContainer
            | Self::Feedback(_)
            | Self::Jobs => Request::Other,
        }
    }
}

fn by_tag(filter: &str) -> bool {
    filter.trim_start().get(..4).is_some_and(|it| it.eq_ignore_ascii_case("tags"))
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn unknown(method: &Method, path: &str) -> Error {
    let message = format!(
        "There is no operation {method} {} on a notification hub. There are registrations, \
         registrationids, tags/<tag>/registrations, installations, messages, schedulednotifications \
         and feedbackcontainer below /<hub>.",
        shown(path)
    );
    Error::new(ErrorKind::NotFound, "40400", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: &str, path: &str) -> Option<(String, Operation)> {
        Operation::parse(&method.parse().unwrap(), path).ok()
    }

    #[test]
    fn the_paths_of_every_client_are_understood() {
        use Operation::*;
        for (method, path, operation) in [
            ("POST", "/Hub/registrationIDs", CreateRegistrationId),
            ("POST", "/hub/registrationids/", CreateRegistrationId),
            ("PUT", "/hub/Registrations/1-2-3", PutRegistration("1-2-3".to_owned())),
            ("GET", "/hub/tags/a/b/registrations", ListByTag("a/b".to_owned())),
            ("GET", "/hub/tags/a%2Fb%3A1/registrations/", ListByTag("a/b:1".to_owned())),
            ("POST", "/hub/messages/", Send),
            ("POST", "/hub/messages/$batch", SendBatch),
            ("POST", "//hub//messages/%24batch", SendBatch),
            ("DELETE", "/hub/schedulednotifications/a_b", Cancel("a_b".to_owned())),
            ("PATCH", "/hub/installations/i%201", PatchInstallation("i 1".to_owned())),
        ] {
            let (hub, found) = parsed(method, path).unwrap_or_else(|| panic!("{method} {path}"));
            assert!(hub.eq_ignore_ascii_case("hub"));
            assert_eq!(found, operation, "{method} {path}");
            assert!(is_ours(path), "{path}");
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for (method, path) in [
            ("GET", "/hub"),
            ("DELETE", "/hub/messages/1"),
            ("GET", "/hub/tags/registrations"),
            ("PUT", "/hub/registrations/1/2"),
        ] {
            assert_eq!(parsed(method, path), None, "{method} {path}");
        }
        assert!(!is_ours("/api/hubs/chat/:send") && !is_ours("/topics/local/api/events"));
    }
}
