//! `inputSchemaMapping`: where in a custom event the things are that every event has.
//!
//! The whole original stays the event's data, mapped fields included. A mapping for `topic` is kept
//! and shown, but an event always gets the id of the topic that it was published to.

use kernel::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use crate::json::{self, Members};

/// The mapping of a topic with a custom input schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputSchemaMapping {
    id: Field,
    topic: Field,
    event_time: Field,
    event_type: Field,
    subject: Field,
    data_version: Field,
}

/// Where one thing comes from: the event's own field, else a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field {
    source: Option<String>,
    default: Option<String>,
    /// Whether the mapping named this field at all, for showing it again.
    named: bool,
}

/// What a mapping finds in an event. Numbers and truth values become their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) id: Option<String>,
    pub(super) event_time: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) data_version: Option<String>,
}

/// The fields that can have a default; for the others a missing value is made up.
const WITH_DEFAULT: [&str; 3] = ["eventType", "subject", "dataVersion"];

impl InputSchemaMapping {
    /// Reads `{"inputSchemaMappingType":"Json","properties":{…}}`.
    ///
    /// # Errors
    /// Names the property at fault.
    pub fn parse(mapping: &Value) -> Result<Self> {
        match mapping.get("inputSchemaMappingType") {
            None | Some(Value::Null) => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("Json") => {}
            Some(_) => return Err(invalid("inputSchemaMappingType", "\"Json\", the only kind")),
        }
        let properties = match mapping.get("properties") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err(invalid("properties", "an object")),
        };
        let field = |name: &'static str| Field::parse(name, properties.get(name));
        Ok(Self {
            id: field("id")?,
            topic: field("topic")?,
            event_time: field("eventTime")?,
            event_type: field("eventType")?,
            subject: field("subject")?,
            data_version: field("dataVersion")?,
        })
    }

    /// The same in the form of a topic's properties.
    pub fn to_json(&self) -> Value {
        let fields = [
            ("id", &self.id),
            ("topic", &self.topic),
            ("eventTime", &self.event_time),
            ("eventType", &self.event_type),
            ("subject", &self.subject),
            ("dataVersion", &self.data_version),
        ];
        let named = fields.into_iter().filter(|(_, field)| field.named);
        let properties: Map<_, _> =
            named.map(|(name, field)| (name.to_owned(), field.to_json(name))).collect();
        json!({ "inputSchemaMappingType": "Json", "properties": properties })
    }

    pub(super) fn apply(&self, event: &Members<'_>) -> Mapped {
        Mapped {
            id: self.id.find(event),
            event_time: self.event_time.find(event),
            event_type: self.event_type.find(event),
            subject: self.subject.find(event),
            data_version: self.data_version.find(event),
        }
    }
}

impl Field {
    fn parse(name: &'static str, value: Option<&Value>) -> Result<Self> {
        let object = match value {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(object)) => object,
            Some(_) => return Err(invalid(name, "an object with 'sourceField'")),
        };
        let text = |property: &str| match object.get(property) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(invalid(name, "an object whose fields are strings or null")),
        };
        Ok(Self { source: text("sourceField")?, default: text("defaultValue")?, named: true })
    }

    fn to_json(&self, name: &str) -> Value {
        let mut field = json!({ "sourceField": self.source });
        if WITH_DEFAULT.contains(&name) || self.default.is_some() {
            field["defaultValue"] = json!(self.default);
        }
        field
    }

    /// A missing, null or empty value gives way to the default.
    fn find(&self, event: &Members<'_>) -> Option<String> {
        let found = self.source.as_deref().and_then(|source| lookup(event, source));
        found.filter(|text| !text.is_empty()).or_else(|| self.default.clone())
    }
}

/// A field by its exact name, else along the dots in it.
fn lookup(event: &Members<'_>, path: &str) -> Option<String> {
    if let Some(value) = event.get_ignoring_case(path) {
        return scalar(value);
    }
    let (first, rest) = path.split_once('.')?;
    let mut value = event.get_ignoring_case(first)?;
    for name in rest.split('.') {
        value = Members::parse(value).ok()?.get_ignoring_case(name)?;
    }
    scalar(value)
}

fn scalar(value: &str) -> Option<String> {
    match json::Token::of(value) {
        json::Token::String => json::text(value).map(std::borrow::Cow::into_owned),
        json::Token::Number | json::Token::Boolean => Some(value.to_owned()),
        json::Token::Object | json::Token::Array | json::Token::Null => None,
    }
}

fn invalid(name: &'static str, expected: &str) -> Error {
    let message =
        format!("The property '{name}' of 'inputSchemaMapping' is wrong: expected {expected}.");
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("inputSchemaMapping")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documented() -> Value {
        json!({"inputSchemaMappingType":"Json","properties":{
            "id":{"sourceField":"key"},
            "eventType":{"sourceField":"myEventTypeField","defaultValue":null},
            "subject":{"sourceField":null,"defaultValue":"DefaultSubject"},
            "dataVersion":{"sourceField":null,"defaultValue":"1.0"}}})
    }

    #[test]
    fn a_mapping_shows_itself_as_it_was_given() {
        let mapping = InputSchemaMapping::parse(&documented()).unwrap();
        assert_eq!(mapping.to_json(), documented());
    }

    #[test]
    fn fields_come_from_the_event_or_the_default() {
        let mapping = InputSchemaMapping::parse(&documented()).unwrap();
        let event = r#"{"key": 17, "MyEventTypeField":"made", "subject":"ignored"}"#;
        let mapped = mapping.apply(&Members::parse(event).unwrap());
        assert_eq!(mapped.id.as_deref(), Some("17"));
        assert_eq!(mapped.event_type.as_deref(), Some("made"));
        assert_eq!(mapped.subject.as_deref(), Some("DefaultSubject"));
        assert_eq!(mapped.data_version.as_deref(), Some("1.0"));
        assert_eq!(mapped.event_time, None);
    }

    #[test]
    fn a_source_can_be_nested_or_hold_a_dot() {
        let mapping = json!({"properties":{"id":{"sourceField":"a.b"}}});
        let mapping = InputSchemaMapping::parse(&mapping).unwrap();
        let id = |event| mapping.apply(&Members::parse(event).unwrap()).id;
        assert_eq!(id(r#"{"a":{"b":"nested"}}"#).as_deref(), Some("nested"));
        assert_eq!(id(r#"{"a":{"b":"nested"},"a.b":"dotted"}"#).as_deref(), Some("dotted"));
        assert_eq!(id(r#"{"a":{"b":{"c":1}}}"#), None);
        assert_eq!(id(r#"{"a":{"b":null}}"#), None);
    }

    #[test]
    fn a_wrong_mapping_is_refused_with_its_property() {
        for (mapping, names) in [
            (json!({"inputSchemaMappingType":"Xml"}), "inputSchemaMappingType"),
            (json!({"properties":[]}), "properties"),
            (json!({"properties":{"id":"key"}}), "'id'"),
            (json!({"properties":{"subject":{"defaultValue":1}}}), "'subject'"),
        ] {
            let error = InputSchemaMapping::parse(&mapping).unwrap_err();
            assert!(error.message().contains(names), "{error}");
        }
    }
}
