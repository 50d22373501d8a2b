//! Registrations: one handle with its tags, and perhaps a template.
//!
//! What a client chooses is a [`Description`], what the service adds makes it a [`Registration`]. Both
//! are right by construction as far as [`Description::check`] goes. How they look on the wire is the
//! business of [`crate::entry`].

mod etag;
mod filter;
mod id;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use kernel::{Result, Timestamp};

use crate::Handle;
use crate::tag::{Tag, TagSet};
use crate::template::{Properties, Template, TemplateText};

pub use etag::IfMatch;
pub use filter::ListFilter;
pub use id::{Key, KeySource, RegistrationId};

/// What a client says about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The device at its push service.
    pub handle: Handle,
    /// Tags, system tags included once the service has added them.
    pub tags: TagSet,
    /// Properties for templates: the text of a JSON object.
    pub push_variables: Option<String>,
    /// What the device wants sent; without one it takes payloads as they are.
    pub template: Option<TemplateText>,
    /// A second tile on Windows, which has a channel of its own.
    pub secondary_tile: Option<String>,
}

/// A registration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The place in the store, and the order in which sends go through devices.
    pub key: Key,
    /// The id that clients know.
    pub id: RegistrationId,
    /// 1 at first, one more with every write.
    pub etag: i64,
    /// When it is taken for gone.
    pub expires_at: Timestamp,
    /// The installation that it is made from, if any.
    pub installation: Option<String>,
    /// What the client said.
    pub description: Description,
}

impl Description {
    /// A device without tags and template.
    pub fn new(handle: Handle) -> Self {
        Self {
            handle,
            tags: TagSet::default(),
            push_variables: None,
            template: None,
            secondary_tile: None,
        }
    }

    /// Checks what single values cannot show: the template for its platform, the variables, the number
    /// of tags.
    ///
    /// # Errors
    /// `Invalid` with the part that is wrong.
    pub fn check(&self) -> Result<()> {
        self.tags.check_count()?;
        self.variables()?;
        if let Some(template) = &self.template {
            Template::compile(self.handle.platform(), template)?;
        }
        Ok(())
    }

    /// The push variables as properties.
    ///
    /// # Errors
    /// `Invalid` when they are no flat JSON object.
    pub fn variables(&self) -> Result<Option<HashMap<String, String>>> {
        let parse = |text: &String| {
            Properties::parse(text).map_err(|_| {
                crate::refusal::bad_request(
                    "PushVariables are no JSON object of texts, such as {\"city\":\"Rome\"}.",
                )
            })
        };
        self.push_variables.as_ref().map(parse).transpose()
    }

    /// Takes over the system tags of the registration that this replaces. A client that saves what it
    /// has read sends them along; those are passed over, but it cannot invent any.
    ///
    /// # Errors
    /// `Invalid` in the service's words when a system tag is new.
    pub fn keep_system_tags(&mut self, sent: &[Tag], stored: Option<&TagSet>) -> Result<()> {
        let known = |tag: &Tag| stored.is_some_and(|stored| stored.contains(tag));
        if !sent.iter().all(known) {
            return Err(crate::refusal::bad_request("Tags can not start with $."));
        }
        for tag in stored.into_iter().flat_map(TagSet::iter).filter(|tag| tag.is_system()) {
            self.tags.insert(tag.clone());
        }
        Ok(())
    }
}
