//! The long names of the resource manager, `/subscriptions/{id}/resourceGroups/{group}/providers/…`.
//!
//! Compared without regard to case, as the resource manager does, but kept as first written. This
//! says nothing about whether the thing named exists.

use std::fmt;
use std::hash::{Hash, Hasher};

use kernel::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Longer ids than this are no ids; Azure's longest have a few hundred characters.
const MAX_BYTES: usize = 2048;

/// The id of a subscription, resource group or resource.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    text: Box<str>,
    /// In lower case; what is compared and stored as a key.
    key: Box<str>,
}

impl ResourceId {
    /// Reads an id; doubled and trailing slashes, which some SDKs send, do not count.
    ///
    /// # Errors
    /// `Invalid` (code `InvalidResourceId`) when it is not of the form above.
    pub fn parse(text: &str) -> Result<Self> {
        let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        if text.len() > MAX_BYTES || !is_well_formed(&segments) {
            let shown: String = text.chars().take(100).collect();
            let message = format!(
                "'{}' is no resource id. One looks like \
                 /subscriptions/<id>/resourceGroups/<group>/providers/<namespace>/<type>/<name>.",
                shown.escape_debug()
            );
            return Err(Error::new(ErrorKind::Invalid, "InvalidResourceId", message));
        }
        let text = format!("/{}", segments.join("/"));
        let key = text.to_ascii_lowercase().into();
        Ok(Self { text: text.into(), key })
    }

    /// As first written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In lower case: equal for equal ids.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription that it lies in.
    pub fn subscription(&self) -> &str {
        self.text.split('/').nth(2).unwrap_or_default()
    }

    /// The resource group that it lies in, if it lies in one.
    pub fn resource_group(&self) -> Option<&str> {
        let mut segments = self.text.split('/').skip(3);
        segments.next().filter(|word| word.eq_ignore_ascii_case("resourceGroups"))?;
        segments.next()
    }

    /// The type of the innermost resource, such as `Microsoft.EventGrid/topics`, as written; empty
    /// for a subscription or resource group.
    pub fn resource_type(&self) -> String {
        let segments: Vec<&str> = self.text.split('/').skip(1).collect();
        let is_providers = |segment: &&str| segment.eq_ignore_ascii_case("providers");
        let Some(at) = segments.iter().rposition(is_providers) else { return String::new() };
        let types = segments[at + 1..].iter().enumerate();
        let types = types.filter(|(index, _)| *index == 0 || index % 2 == 1);
        types.map(|(_, segment)| *segment).collect::<Vec<_>>().join("/")
    }

    /// Whether the innermost resource is of this type.
    pub fn is_of_type(&self, resource_type: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(resource_type)
    }

    /// Whether this is `outer` or lies in it: a subscription holds groups, a group resources.
    pub fn is_within(&self, outer: &Self) -> bool {
        self.key
            .strip_prefix(&*outer.key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A resource that belongs to this one, such as `eventSubscriptions` and its name.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let text = format!("{}/{kind}/{name}", self.text);
        let key = text.to_ascii_lowercase().into();
        Self { text: text.into(), key }
    }
}

/// Pairs of a word and a name, then perhaps `providers`, a namespace, and pairs of type and name.
fn is_well_formed(segments: &[&str]) -> bool {
    let is = |index: usize, word: &str| {
        segments.get(index).is_some_and(|segment: &&str| segment.eq_ignore_ascii_case(word))
    };
    let plain = segments.iter().all(|it| !it.chars().any(char::is_control));
    let start = if is(2, "resourceGroups") { 4 } else { 2 };
    let rest = segments.len().checked_sub(start);
    let tail = match rest {
        Some(0) => true,
        Some(rest) => is(start, "providers") && rest >= 4 && rest % 2 == 0,
        None => false,
    };
    plain && is(0, "subscriptions") && tail
}

impl TryFrom<String> for ResourceId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> Self {
        id.text.into()
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str =
        "/subscriptions/S1/resourceGroups/Rg/providers/Microsoft.EventGrid/topics/Orders";

    #[test]
    fn case_and_doubled_slashes_make_no_difference_but_the_first_form_is_kept() {
        let one = ResourceId::parse(TOPIC).unwrap();
        let other = ResourceId::parse(&format!("/{}/", TOPIC.to_uppercase())).unwrap();
        assert_eq!(one, other);
        assert_eq!((one.as_str(), one.name()), (TOPIC, "Orders"));
    }

    #[test]
    fn the_type_is_that_of_the_innermost_resource() {
        let topic = ResourceId::parse(TOPIC).unwrap();
        assert!(topic.is_of_type("microsoft.eventgrid/Topics"));
        let child = topic.child("eventSubscriptions", "a");
        assert_eq!(child.resource_type(), "Microsoft.EventGrid/topics/eventSubscriptions");
        assert_eq!(ResourceId::parse("/subscriptions/s").unwrap().resource_type(), "");
    }

    #[test]
    fn it_tells_the_subscription_and_the_group_that_it_lies_in() {
        let topic = ResourceId::parse(TOPIC).unwrap();
        assert_eq!((topic.subscription(), topic.resource_group()), ("S1", Some("Rg")));
        let tenant_wide = ResourceId::parse("/subscriptions/s/providers/N/t/n").unwrap();
        assert_eq!((tenant_wide.subscription(), tenant_wide.resource_group()), ("s", None));
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_within() {
        let group = ResourceId::parse("/subscriptions/s1/resourcegroups/RG").unwrap();
        assert!(ResourceId::parse(TOPIC).unwrap().is_within(&group));
        let other = ResourceId::parse(&TOPIC.replace("/Rg/", "/Rg2/")).unwrap();
        assert!(!other.is_within(&group));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "/",
            "orders",
            "/subscriptions",
            "/subscriptions/s/resourceGroups",
            "/subscriptions/s/providers/N/t",
            "/subscriptions/s/providers/N/t/n/u",
            "/a/b",
        ] {
            assert_eq!(ResourceId::parse(bad).unwrap_err().code(), "InvalidResourceId", "{bad}");
        }
    }
}
