//! What stands behind one client connection: a pure state machine for each subprotocol.

mod acks;
mod json;
mod simple;

pub use json::JsonSession;
pub use simple::{SimpleMode, SimpleSession};

use std::sync::Arc;

use gateway::{Audience, Effect, Publication};

use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;

/// The publishing of a client's data to a group.
fn publish_to_group(
    group: &str,
    user: Option<&Arc<str>>,
    data: Data,
    metadata: Metadata,
    echo: bool,
) -> Effect {
    let source = Source::Group { group: group.into(), user: user.map(|user| user.as_ref().into()) };
    Effect::Publish {
        audience: Audience::Group(group.into()),
        publication: Publication::new(Message { source, data, metadata }),
        echo,
    }
}
