//! What every entrance of the service needs.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::response::Response;

use crate::chat::Chat;
use crate::identity::Identities;
use crate::resource::Resources;
use crate::{chat, identity, rest};

/// The Communication Services of one node. Cheap to clone.
#[derive(Clone)]
pub struct Communication(Arc<Inner>);

struct Inner {
    resources: Resources,
    identities: Identities,
    chat: Chat,
}

impl Communication {
    /// The services over their resources.
    pub fn new(resources: Resources, identities: Identities, chat: Chat) -> Self {
        Self(Arc::new(Inner { resources, identities, chat }))
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
