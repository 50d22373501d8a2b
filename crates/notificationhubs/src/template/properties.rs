//! The message of a template send: properties, found by name whatever its case.

use std::collections::HashMap;

use kernel::Result;
use serde_json::Value;

use crate::refusal::{bad_request, shown};

/// The properties that expressions may name.
#[derive(Clone, Debug, Default)]
pub struct Properties<'a> {
    message: Option<&'a HashMap<String, String>>,
    /// Of the device; the message wins.
    variables: Option<&'a HashMap<String, String>>,
}

impl<'a> Properties<'a> {
    /// The properties of a message for a device with these push variables. Both maps are made by
    /// [`Properties::parse`].
    pub fn new(
        message: &'a HashMap<String, String>,
        variables: Option<&'a HashMap<String, String>>,
    ) -> Self {
        Self { message: Some(message), variables }
    }

    /// Reads a JSON object of texts; numbers and truth values become the text that JSON writes them
    /// as, null is as if absent.
    ///
    /// # Errors
    /// `Invalid` when it is no flat object.
    pub fn parse(json: &str) -> Result<HashMap<String, String>> {
        let Ok(Value::Object(object)) = serde_json::from_str(json) else {
            return Err(bad_request(
                "The supplied notification payload is invalid. A template message is a JSON object of \
                 texts, such as {\"message\":\"Hello\"}.",
            ));
        };
        Self::from_object(object)
    }

    /// As [`Properties::parse`], from an object that has been read.
    ///
    /// # Errors
    /// As [`Properties::parse`].
    pub fn from_object(
        object: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<HashMap<String, String>> {
        let mut properties = HashMap::new();
        for (name, value) in object {
            let value = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(bad_request(format!(
                        "The property '{}' is a list or an object; a property is a text.",
                        shown(&name)
                    )));
                }
            };
            properties.insert(name.to_ascii_lowercase(), value);
        }
        Ok(properties)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let name = name.to_ascii_lowercase();
        let of = |map: Option<&'a HashMap<String, String>>| map?.get(&name).map(String::as_str);
        of(self.message).or_else(|| of(self.variables))
    }
}
