//! What every entrance of the service needs.

use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;
use kernel::Result;

use crate::chat::{Access, Chat};
use crate::identity::Identities;
use crate::limits::Operation;
use crate::resource::Resources;
use crate::throttle::{Asking, Throttle};
use crate::{chat, identity, rest};

/// The Communication Services of one node. Cheap to clone.
#[derive(Clone)]
pub struct Communication(Arc<Inner>);

struct Inner {
    resources: Resources,
    identities: Identities,
    chat: Chat,
    throttle: Throttle,
}

impl Communication {
    /// The services over their resources, whose requests `throttle` counts.
    pub fn new(
        resources: Resources,
        identities: Identities,
        chat: Chat,
        throttle: Throttle,
    ) -> Self {
        Self(Arc::new(Inner { resources, identities, chat, throttle }))
    }

    /// Counts a request to a route of the service.
    ///
    /// # Errors
    /// `Throttled` when there were too many lately.
    pub(crate) async fn admit(
        &self,
        parts: &Parts,
        caller: &str,
        thread: Option<(&Access, &str)>,
    ) -> Result<()> {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let Some(operation) = Operation::of(&parts.method, route) else { return Ok(()) };
        if !self.0.throttle.is_on() {
            return Ok(());
        }
        let thread = match thread {
            Some((access, id)) if self.0.chat.has(access, id).await? => Some(id),
            _ => None,
        };
        let asking = Asking { operation: operation.name, caller, thread };
        self.0.throttle.admit(&asking, operation.limits, self.0.identities.clock().now())
    }

    /// The resources.
    pub fn resources(&self) -> &Resources {
        &self.0.resources
    }

    /// Users and their tokens.
    pub fn identities(&self) -> &Identities {
        &self.0.identities
    }

    /// Threads and messages.
    pub fn chat(&self) -> &Chat {
        &self.0.chat
    }

    /// Every route of the service.
    pub fn router(&self) -> Router {
        rest::finished(identity::rest::router(self.clone()), chat::rest::router(self.clone()))
    }

    /// The refusal of a request that has no route but a path of this service; `None` for a path of
    /// somebody else's.
    pub fn refuse_unknown(method: &Method, uri: &Uri) -> Option<Response> {
        rest::refuse_unknown(method, uri)
    }
}
