//! Installations: everything about one app on one device, in one document.
//!
//! | module | what |
//! |---|---|
//! | `json` | the document on the wire, in the spellings of all clients |
//! | `patch` | partial updates, a dialect of JSON Patch |
//!
//! An installation is what is read and changed; what sends find are the registrations that are made
//! from it ([`Installation::registrations`]).

mod json;
mod patch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kernel::{Result, Timestamp};

use crate::Handle;
use crate::refusal::{bad_request, shown};
use crate::registration::Description;
use crate::tag::{Tag, TagSet, is_system_id};
use crate::template::TemplateText;

pub use patch::{MAX_OPERATIONS, Patch};

/// One app on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Chosen by the client.
    pub id: String,
    /// Where and with what the device is reached.
    pub target: Target,
    /// Whether a browser's channel was sent as an object, which is then how it is given back: the
    /// JavaScript client expects that, the .NET client a text.
    pub channel_is_object: bool,
    /// Whether the push service has said that the channel is no more.
    pub channel_expired: bool,
    /// Whose device it is.
    pub user_id: Option<String>,
    /// When it is taken for gone.
    pub expires_at: Timestamp,
    /// Properties for templates.
    pub push_variables: BTreeMap<String, String>,
    /// Second tiles on Windows, by name.
    pub secondary_tiles: BTreeMap<String, Target>,
    /// The last write, once it is stored.
    pub updated_at: Option<Timestamp>,
}

/// A handle with its tags and templates: the device itself, or a second tile on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The push channel.
    pub handle: Handle,
    /// Tags, without those of the service.
    pub tags: TagSet,
    /// Templates by name.
    pub templates: BTreeMap<String, InstallationTemplate>,
}

/// A template of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallationTemplate {
    /// The template; its name is set.
    pub text: TemplateText,
    /// Tags of its own, its name among them.
    pub tags: TagSet,
}

/// One registration that an installation is made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// Tells the registrations of one installation apart; empty for the device without a template.
    pub part: String,
    /// The registration.
    pub description: Description,
}

impl Installation {
    /// Reads what a client sends to `/installations/{id}`.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn parse(body: &[u8], id: &str) -> Result<Self> {
        let installation = json::parse(body, id)?;
        installation.check()?;
        Ok(installation)
    }

    /// The document as clients read it.
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// What is left after a partial update.
    ///
    /// # Errors
    /// `Invalid` with the operation that is wrong; nothing of the patch holds then.
    pub fn patched(&self, patch: &Patch) -> Result<Self> {
        let mut installation = self.clone();
        patch.apply(&mut installation)?;
        installation.check()?;
        Ok(installation)
    }

    /// The registrations that sends find: one without a template, one for each template, and as many
    /// again for each second tile.
    ///
    /// A template's registration has the tags of the installation, too. Reports differ on what the
    /// service does; a template that nobody's tags reach would be of no use.
    pub fn registrations(&self) -> Vec<Derived> {
        let mut all = Vec::new();
        self.push_target(&self.target, None, &mut all);
        for (name, tile) in &self.secondary_tiles {
            self.push_target(tile, Some(name), &mut all);
        }
        all
    }

    fn push_target(&self, target: &Target, tile: Option<&String>, all: &mut Vec<Derived>) {
        let start = tile.map(|name| format!("tile/{name}/")).unwrap_or_default();
        let of = |own: &TagSet, template: Option<TemplateText>| Description {
            handle: target.handle.clone(),
            tags: self
                .system_tags()
                .chain(target.tags.iter().cloned())
                .chain(own.iter().cloned())
                .collect(),
            push_variables: (!self.push_variables.is_empty()).then(|| {
                serde_json::to_string(&self.push_variables).expect("a map of texts is JSON")
            }),
            template,
            secondary_tile: tile.cloned(),
        };
        all.push(Derived { part: start.clone(), description: of(&TagSet::default(), None) });
        for (name, template) in &target.templates {
            let description = of(&template.tags, Some(template.text.clone()));
            all.push(Derived { part: format!("{start}template/{name}"), description });
        }
    }

    fn system_tags(&self) -> impl Iterator<Item = Tag> {
        let user = self.user_id.as_deref().map(Tag::user);
        std::iter::once(Tag::installation(&self.id)).chain(user)
    }

    fn check(&self) -> Result<()> {
        check_id("installationId", &self.id)?;
        if let Some(user_id) = &self.user_id {
            check_id("userId", user_id)?;
        }
        for derived in self.registrations() {
            derived.description.check().map_err(|error| match derived.part.as_str() {
                "" => error,
                part => bad_request(format!("{} This is about {}.", error.message(), shown(part))),
            })?;
        }
        Ok(())
    }
}

fn check_id(field: &str, id: &str) -> Result<()> {
    if is_system_id(id) {
        return Ok(());
    }
    Err(bad_request(format!(
        "The {field} '{}' is invalid. It has 1 to 400 characters: letters, digits and - _ @ # . : =",
        shown(id)
    )))
}

impl InstallationTemplate {
    /// A template under its name, which is also a tag of it when it can be one.
    fn new(name: &str, mut text: TemplateText, mut tags: TagSet) -> Self {
        text.name = Some(name.to_owned());
        if let Ok(tag) = Tag::parse(name) {
            tags.insert(tag);
        }
        Self { text, tags }
    }
}
