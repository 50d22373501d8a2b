//! What surrounds the `properties` of every resource in an answer.

use std::collections::BTreeMap;

use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Map, Value, json};
use wire::ResourceId;

use crate::fault;

/// Where a resource without a place is said to be.
pub const GLOBAL: &str = "global";

/// Azure's limits of tags on one resource.
const MAX_TAGS: usize = 50;
const MAX_TAG_NAME: usize = 512;
const MAX_TAG_VALUE: usize = 256;

/// Where a resource is, what is attached to it, and since when it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Where it is said to be. `None` for resources that belong to another one.
    pub location: Option<String>,
    /// What callers attach to it. Shown with a location only, as in Azure.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub changed: Option<Timestamp>,
}

impl Envelope {
    /// The resource as an answer shows it; `id` and `kind` (its type) are its full ones.
    pub(crate) fn around(&self, id: &str, kind: &str, properties: Value) -> Value {
        let name = id.rsplit('/').next().unwrap_or_default();
        let mut resource = json!({ "id": id, "name": name, "type": kind });
        if let Some(location) = &self.location {
            resource["location"] = location.as_str().into();
            resource["tags"] = json!(self.tags);
        }
        if let Some(system) = self.system_data() {
            resource["systemData"] = system;
        }
        resource["properties"] = properties;
        resource
    }

    /// Who did it is not kept, so it is not told.
    fn system_data(&self) -> Option<Value> {
        let moments = [("createdAt", self.created), ("lastModifiedAt", self.changed)];
        let known = moments.into_iter().filter_map(|(name, at)| Some((name.to_owned(), iso(at?)?)));
        let known: Map<String, Value> = known.collect();
        (!known.is_empty()).then_some(Value::Object(known))
    }
}

/// A moment as answers have it.
pub(crate) fn iso(at: Timestamp) -> Option<Value> {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(at.to_string().into())
}

/// The location of a new or replaced resource, which a body must name.
///
/// # Errors
/// `LocationRequired`, and `InvalidResourceLocation` when `existing` is elsewhere: no resource moves.
pub(crate) fn location(body: &Value, id: &ResourceId, existing: Option<&str>) -> Result<String> {
    let given = body["location"].as_str().map(str::trim).filter(|it| !it.is_empty());
    let Some(given) = given else {
        let message = "The location property is required for this definition. Any name of a \
                       location will do, such as \"global\".";
        return Err(Error::new(ErrorKind::Invalid, "LocationRequired", message).target("location"));
    };
    match existing {
        Some(place) if !is_same_location(place, given) => {
            let message = format!(
                "The resource '{}' already exists in location '{place}'. A resource cannot move to \
                 '{}': give its location, or delete it first.",
                id.name(),
                given.escape_debug()
            );
            Err(Error::new(ErrorKind::Conflict, "InvalidResourceLocation", message)
                .target("location"))
        }
        Some(place) => Ok(place.to_owned()),
        None => Ok(given.to_owned()),
    }
}

/// Locations have a name and a display name: `eastus` and `East US` are the same.
pub(crate) fn is_same_location(one: &str, other: &str) -> bool {
    let letters = |text: &str| {
        let kept = text.chars().filter(|letter| !letter.is_whitespace());
        kept.map(|letter| letter.to_ascii_lowercase()).collect::<String>()
    };
    letters(one) == letters(other)
}

/// The tags of a body; `None` when it names none.
///
/// # Errors
/// `InvalidRequestContent` when they are not texts, `InvalidTags` above Azure's limits.
pub(crate) fn tags(body: &Value) -> Result<Option<BTreeMap<String, String>>> {
    let tags = match &body["tags"] {
        Value::Null => return Ok(None),
        Value::Object(tags) => tags,
        _ => return Err(fault::content("tags", "tags must be an object of texts.")),
    };
    let read = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        _ => Err(fault::content("tags", format!("The tag '{}' is no text.", name.escape_debug()))),
    };
    let tags: BTreeMap<String, String> = tags.iter().map(read).collect::<Result<_>>()?;
    let too_long = |(name, value): (&String, &String)| {
        name.len() > MAX_TAG_NAME || value.len() > MAX_TAG_VALUE
    };
    if tags.len() > MAX_TAGS || tags.iter().any(too_long) {
        let message = format!(
            "A resource has at most {MAX_TAGS} tags, with names up to {MAX_TAG_NAME} and values up \
             to {MAX_TAG_VALUE} bytes."
        );
        return Err(Error::new(ErrorKind::Invalid, "InvalidTags", message).target("tags"));
    }
    Ok(Some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ResourceId {
        ResourceId::parse("/subscriptions/s/resourceGroups/g/providers/N/t/one").unwrap()
    }

    #[test]
    fn a_tracked_resource_has_its_place_tags_and_times() {
        let envelope = Envelope {
            location: Some("eastus".to_owned()),
            tags: BTreeMap::from([("team".to_owned(), "chat".to_owned())]),
            created: Some(Timestamp::from_secs(0)),
            changed: Some(Timestamp::from_micros(1_500_000)),
        };
        assert_eq!(
            envelope.around("/a/one", "N/t", json!({ "x": 1 })),
            json!({
                "id": "/a/one", "name": "one", "type": "N/t", "location": "eastus",
                "tags": { "team": "chat" },
                "systemData": {
                    "createdAt": "1970-01-01T00:00:00Z",
                    "lastModifiedAt": "1970-01-01T00:00:01.5Z"
                },
                "properties": { "x": 1 }
            })
        );
    }

    #[test]
    fn a_resource_that_belongs_to_another_has_neither_place_nor_tags() {
        assert_eq!(
            Envelope::default().around("/a/one", "N/t", json!({})),
            json!({ "id": "/a/one", "name": "one", "type": "N/t", "properties": {} })
        );
    }

    #[test]
    fn a_location_is_required_and_stays() {
        let code =
            |body, existing| location(&body, &id(), existing).map_err(|e| e.code().to_owned());
        assert_eq!(code(json!({ "location": "eastus" }), None).unwrap(), "eastus");
        assert_eq!(code(json!({ "location": "East US" }), Some("eastus")).unwrap(), "eastus");
        for missing in [json!({}), json!({ "location": " " }), json!({ "location": 1 })] {
            assert_eq!(code(missing, None).unwrap_err(), "LocationRequired");
        }
        let moved = code(json!({ "location": "westus" }), Some("eastus"));
        assert_eq!(moved.unwrap_err(), "InvalidResourceLocation");
    }

    #[test]
    fn tags_are_texts_within_limits_and_absent_ones_are_told_apart_from_none() {
        assert_eq!(tags(&json!({})).unwrap(), None);
        assert_eq!(tags(&json!({ "tags": {} })).unwrap(), Some(BTreeMap::new()));
        for bad in [json!({ "tags": [] }), json!({ "tags": { "a": 1 } })] {
            assert_eq!(tags(&bad).unwrap_err().code(), "InvalidRequestContent");
        }
        let long = "x".repeat(MAX_TAG_VALUE + 1);
        assert_eq!(tags(&json!({ "tags": { "a": long } })).unwrap_err().code(), "InvalidTags");
    }
}
