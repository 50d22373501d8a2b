//! Partial updates: a list of operations on paths, a dialect of JSON Patch (RFC 6902).
//!
//! `value` is a text in most clients, which then holds JSON where an object or array is meant; both
//! forms are taken. Names at the head of a path ignore case, those that clients choose do not.

use kernel::{Error, Result};
use serde_json::Value;

use super::{Installation, InstallationTemplate, Target, json};
use crate::refusal::{bad_request, shown};
use crate::tag::{Tag, TagSet};
use crate::{Platform, date};

/// The most operations of one patch.
pub const MAX_OPERATIONS: usize = 100;

/// Operations in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(Vec<Operation>);

#[derive(Clone, Debug, PartialEq)]
struct Operation {
    path: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Add(Value),
    Replace(Value),
    Remove,
}

impl Patch {
    /// Reads the body of a `PATCH`.
    ///
    /// # Errors
    /// `Invalid` when it is no list of operations.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let Ok(Value::Array(items)) = serde_json::from_slice(body) else {
            return Err(bad_request(
                "The body is no JSON array of operations, such as [{\"op\":\"add\",\"path\":\"/tags\",\
                 \"value\":\"news\"}].",
            ));
        };
        if items.len() > MAX_OPERATIONS {
            return Err(bad_request(format!(
                "The patch has {} operations; at most {MAX_OPERATIONS} are allowed.",
                items.len()
            )));
        }
        items.iter().map(operation).collect::<Result<_>>().map(Self)
    }

    pub(super) fn apply(&self, installation: &mut Installation) -> Result<()> {
        self.0.iter().try_for_each(|operation| operation.apply(installation))
    }
}

fn operation(item: &Value) -> Result<Operation> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let path = text("path").ok_or_else(|| bad_request("An operation of the patch has no path."))?;
    let op = text("op").unwrap_or_default().to_ascii_lowercase();
    let value = || {
        let value = item.get("value").filter(|value| !value.is_null());
        value.cloned().ok_or_else(|| {
            bad_request(format!("The operation '{op}' on '{}' has no value.", shown(path)))
        })
    };
    let change = match op.as_str() {
        "add" => Change::Add(value()?),
        "replace" => Change::Replace(value()?),
        "remove" => Change::Remove,
        other => {
            return Err(bad_request(format!(
                "The operation '{}' is unknown; expected add, remove or replace.",
                shown(other)
            )));
        }
    };
    Ok(Operation { path: path.to_owned(), change })
}

impl Operation {
    fn apply(&self, installation: &mut Installation) -> Result<()> {
        let segments = self.path.strip_prefix('/').ok_or_else(|| self.unknown())?.split('/');
        let segments: Vec<String> =
            segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let head = segments[0].to_ascii_lowercase();
        match (head.as_str(), &segments[1..]) {
            ("pushchannel", []) => {
                let value = self.value().ok_or_else(|| self.cannot_remove())?;
                let platform = installation.target.handle.platform();
                installation.target.handle = json::handle(platform, value)?;
                installation.channel_is_object = value.is_object();
                installation.channel_expired = false;
                Ok(())
            }
            ("userid" | "user", []) => {
                installation.user_id = self.text()?.map(str::to_owned);
                Ok(())
            }
            ("expirationtime", []) => {
                installation.expires_at = match self.text()? {
                    Some(text) => json::moment(Some(text))?,
                    None => date::NEVER,
                };
                Ok(())
            }
            ("pushvariables", []) => {
                installation.push_variables = json::variables(self.value())?;
                Ok(())
            }
            ("pushvariables", [name]) => {
                match self.text()? {
                    Some(text) => {
                        installation.push_variables.insert((*name).to_owned(), text.to_owned())
                    }
                    None => installation.push_variables.remove(*name),
                };
                Ok(())
            }
            ("secondarytiles", [name, rest @ ..]) => self.apply_to_tile(installation, name, rest),
            (head, rest) => self.apply_to_target(&mut installation.target, head, rest),
        }
    }

    fn apply_to_tile(
        &self,
        installation: &mut Installation,
        name: &str,
        rest: &[&str],
    ) -> Result<()> {
        if rest.is_empty() {
            match self.value() {
                Some(value) => {
                    let tile = tile(installation.target.handle.platform(), value)?;
                    installation.secondary_tiles.insert(name.to_owned(), tile);
                }
                None => drop(installation.secondary_tiles.remove(name)),
            }
            return Ok(());
        }
        let tile = installation.secondary_tiles.get_mut(name).ok_or_else(|| self.absent(name))?;
        let head = rest[0].to_ascii_lowercase();
        if let ("pushchannel", [_]) = (head.as_str(), rest) {
            let value = self.value().ok_or_else(|| self.cannot_remove())?;
            tile.handle = json::handle(tile.handle.platform(), value)?;
            return Ok(());
        }
        self.apply_to_target(tile, &head, &rest[1..])
    }

    fn apply_to_target(&self, target: &mut Target, head: &str, rest: &[&str]) -> Result<()> {
        match (head, rest) {
            ("tags", rest) => self.apply_to_tags(&mut target.tags, rest),
            ("templates", [name]) => {
                match self.value() {
                    Some(value) => {
                        let template = json::template(name, value)?;
                        target.templates.insert((*name).to_owned(), template);
                    }
                    None => drop(target.templates.remove(*name)),
                }
                Ok(())
            }
            ("templates", [name, rest @ ..]) => {
                let template = target.templates.get_mut(*name).ok_or_else(|| self.absent(name))?;
                self.apply_to_template(template, rest)
            }
            _ => Err(self.unknown()),
        }
    }

    fn apply_to_template(&self, template: &mut InstallationTemplate, rest: &[&str]) -> Result<()> {
        let head = rest[0].to_ascii_lowercase();
        match (head.as_str(), &rest[1..]) {
            ("body", []) => {
                let body = self.text()?.ok_or_else(|| self.cannot_remove())?;
                template.text.body = body.to_owned();
            }
            ("expiry", []) => template.text.expiry = self.text()?.map(str::to_owned),
            ("headers", []) => template.text.headers = json::headers(self.value())?,
            ("tags", rest) => self.apply_to_tags(&mut template.tags, rest)?,
            _ => return Err(self.unknown()),
        }
        Ok(())
    }

    fn apply_to_tags(&self, tags: &mut TagSet, rest: &[&str]) -> Result<()> {
        match (&self.change, rest) {
            (Change::Add(value), []) => {
                json::tags(Some(value))?.iter().for_each(|tag| tags.insert(tag.clone()));
            }
            (Change::Replace(value), []) => *tags = json::tags(Some(value))?,
            (Change::Remove, []) => *tags = TagSet::default(),
            (Change::Remove, [tag]) => drop(tags.remove(&Tag::unchecked(tag))),
            (_, [tag]) => tags.insert(Tag::parse(tag)?),
            _ => return Err(self.unknown()),
        }
        Ok(())
    }

    /// The new value; none for a removal.
    fn value(&self) -> Option<&Value> {
        match &self.change {
            Change::Add(value) | Change::Replace(value) => Some(value),
            Change::Remove => None,
        }
    }

    fn text(&self) -> Result<Option<&str>> {
        let not_text = || bad_request(format!("The value for '{}' is no text.", shown(&self.path)));
        self.value().map(|value| value.as_str().ok_or_else(not_text)).transpose()
    }

    fn unknown(&self) -> Error {
        bad_request(format!(
            "The path '{}' of the patch is unknown. Expected /pushChannel, /userId, /expirationTime, \
             /tags, /tags/{{tag}}, /templates/{{name}}, /templates/{{name}}/body (or headers, expiry, \
             tags), /pushVariables/{{name}} or /secondaryTiles/{{name}}.",
            shown(&self.path)
        ))
    }

    fn cannot_remove(&self) -> Error {
        bad_request(format!("'{}' cannot be removed, only replaced.", shown(&self.path)))
    }

    fn absent(&self, name: &str) -> Error {
        bad_request(format!(
            "The path '{}' of the patch leads into '{}', which the installation does not have; add it \
             as a whole first.",
            shown(&self.path),
            shown(name)
        ))
    }
}

fn tile(platform: Platform, value: &Value) -> Result<Target> {
    let parsed: Value;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str(text).unwrap_or_default();
            &parsed
        }
        other => other,
    };
    json::target(platform, json::as_object(value, "secondaryTiles")?)
}
