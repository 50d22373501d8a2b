//! Delivery attributes: headers that an event subscription adds to its requests.

use hyper::header::HeaderName;
use kernel::{Result, Secret};
use serde_json::{Value, json};

use crate::topic::invalid;

const MAX_ATTRIBUTES: usize = 10;
const MAX_VALUE_BYTES: usize = 4096;
const PROPERTY: &str = "deliveryAttributeMappings";
/// The service's own headers begin with this.
const RESERVED: &str = "aeg-";
/// Headers that say where a request goes, where it ends, or what becomes of the connection (RFC 9110
/// section 7.6.1, RFC 9112 section 6): with these, an attribute could make another request.
const OF_THE_CONNECTION: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttribute {
    /// The header's name, as given.
    pub name: String,
    /// Where its value comes from.
    pub source: AttributeSource,
}

/// Where the value of an attribute comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeSource {
    /// The same for every event.
    Static {
        /// The value.
        value: Secret,
        /// Whether readers of the event subscription may not see it.
        is_secret: bool,
    },
    /// Taken from each event.
    Dynamic {
        /// The path into the event, such as `data.system`.
        source_field: String,
    },
}

/// Reads `deliveryAttributeMappings`; null and absent mean none.
///
/// # Errors
/// `Invalid`, naming the attribute.
pub(super) fn parse(mappings: Option<&Value>) -> Result<Vec<DeliveryAttribute>> {
    let mappings = match mappings {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(mappings)) => mappings,
        Some(_) => return Err(invalid(PROPERTY, "deliveryAttributeMappings is an array.")),
    };
    if mappings.len() > MAX_ATTRIBUTES {
        let message =
            format!("An event subscription has at most {MAX_ATTRIBUTES} delivery attributes.");
        return Err(invalid(PROPERTY, message));
    }
    mappings.iter().map(DeliveryAttribute::parse).collect()
}

impl DeliveryAttribute {
    fn parse(mapping: &Value) -> Result<Self> {
        let name = mapping.get("name").and_then(Value::as_str).unwrap_or_default();
        let wrong = |what: &str| {
            let shown: String = name.chars().take(60).collect();
            invalid(PROPERTY, format!("The delivery attribute '{}' {what}.", shown.escape_debug()))
        };
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(RESERVED) {
            return Err(wrong("begins with aeg-, which is reserved for the service's own headers"));
        }
        if OF_THE_CONNECTION.contains(&lower.as_str()) {
            return Err(wrong("is a header that belongs to the connection; take another name"));
        }
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(wrong("cannot be the name of a header"));
        }
        let properties = mapping.get("properties").unwrap_or(&Value::Null);
        let text = |property: &str| properties.get(property).and_then(Value::as_str);
        let kind = mapping.get("type").and_then(Value::as_str).unwrap_or_default();
        let source = if kind.eq_ignore_ascii_case("Static") {
            let value =
                text("value").ok_or_else(|| wrong("is Static and needs properties.value"))?;
            if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
                return Err(wrong("has a value above 4096 bytes or with control characters"));
            }
            let is_secret = properties.get("isSecret").and_then(Value::as_bool).unwrap_or(false);
            AttributeSource::Static { value: Secret::new(value), is_secret }
        } else if kind.eq_ignore_ascii_case("Dynamic") {
            let field = text("sourceField").filter(|field| !field.is_empty());
            let field =
                field.ok_or_else(|| wrong("is Dynamic and needs properties.sourceField"))?;
            AttributeSource::Dynamic { source_field: field.to_owned() }
        } else {
            return Err(wrong("has a type other than Static and Dynamic"));
        };
        Ok(Self { name: name.to_owned(), source })
    }

    /// The attribute with its value, even a secret one.
    pub fn to_json(&self) -> Value {
        self.json(|value, _| Value::from(value.expose()))
    }

    /// The attribute as readers see it: the value of a secret one is null.
    pub fn shown(&self) -> Value {
        self.json(|value, is_secret| if is_secret { Value::Null } else { value.expose().into() })
    }

    fn json(&self, value_of: impl Fn(&Secret, bool) -> Value) -> Value {
        match &self.source {
            AttributeSource::Static { value, is_secret } => json!({
                "name": self.name,
                "type": "Static",
                "properties": { "value": value_of(value, *is_secret), "isSecret": is_secret },
            }),
            AttributeSource::Dynamic { source_field } => json!({
                "name": self.name,
                "type": "Dynamic",
                "properties": { "sourceField": source_field },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_kept_but_not_shown() {
        let mapping = json!([{ "name": "X-Key", "type": "Static",
            "properties": { "value": "hunter2", "isSecret": true } }]);
        let [attribute] = &parse(Some(&mapping)).unwrap()[..] else { panic!("one attribute") };
        assert_eq!(attribute.to_json(), mapping[0]);
        assert_eq!(attribute.shown()["properties"]["value"], Value::Null);
        assert!(!format!("{attribute:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_be_a_header_of_the_subscription_is_refused() {
        let dynamic = json!({ "sourceField": "data.a" });
        for (name, kind, properties, says) in [
            ("AEG-x", "Dynamic", dynamic.clone(), "reserved"),
            ("aeg-", "Dynamic", dynamic.clone(), "reserved"),
            ("Host", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("content-length", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("Transfer-Encoding", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("connection", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("Keep-Alive", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("TE", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("upgrade", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("expect", "Dynamic", dynamic.clone(), "belongs to the connection"),
            ("a b", "Dynamic", dynamic.clone(), "cannot be the name"),
            ("", "Dynamic", dynamic.clone(), "cannot be the name"),
            ("a", "Other", dynamic, "other than Static and Dynamic"),
            ("a", "Dynamic", json!({}), "sourceField"),
            ("a", "Static", json!({ "value": "x\r\ny" }), "control characters"),
            ("a", "Static", json!({ "value": "x".repeat(4097) }), "4096"),
        ] {
            let mapping = json!([{ "name": name, "type": kind, "properties": properties }]);
            let error = parse(Some(&mapping)).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
        let many = Value::Array(vec![json!({}); 11]);
        assert!(parse(Some(&many)).unwrap_err().message().contains("at most 10"));
    }
}
