//! The forms that events have: on their way in, and on their way out.

use std::fmt;

use kernel::{Error, ErrorKind, Result};
use serde_json::Value;

use super::mapping::InputSchemaMapping;

/// What a topic takes in. It cannot change after the topic was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InputSchema {
    /// `EventGridSchema`: an array of events of Event Grid's own form.
    #[default]
    EventGrid,
    /// `CloudEventSchemaV1_0`: CloudEvents 1.0, single, batched or in binary mode.
    CloudEvents,
    /// `CustomEventSchema`: an array of any objects, with a mapping to what an event needs.
    Custom(Box<InputSchemaMapping>),
}

impl InputSchema {
    /// Reads the properties `inputSchema` and `inputSchemaMapping` of a topic.
    ///
    /// # Errors
    /// Names the property at fault and what it can be.
    pub fn parse(name: Option<&str>, mapping: Option<&Value>) -> Result<Self> {
        let mapping = mapping.filter(|mapping| !mapping.is_null());
        let schema = match name.unwrap_or("EventGridSchema") {
            name if name.eq_ignore_ascii_case("EventGridSchema") => Self::EventGrid,
            name if name.eq_ignore_ascii_case("CloudEventSchemaV1_0") => Self::CloudEvents,
            name if name.eq_ignore_ascii_case("CustomEventSchema") => {
                let mapping = mapping.map(InputSchemaMapping::parse).transpose()?;
                return Ok(Self::Custom(Box::new(mapping.unwrap_or_default())));
            }
            _ => {
                let message = "The property 'inputSchema' is none of EventGridSchema, \
                               CloudEventSchemaV1_0 and CustomEventSchema. Use one of these.";
                return Err(invalid(message).target("inputSchema"));
            }
        };
        if mapping.is_some() {
            let message = format!(
                "A topic with the input schema {schema} has no 'inputSchemaMapping'. Remove it, or \
                 set 'inputSchema' to CustomEventSchema."
            );
            return Err(invalid(message).target("inputSchemaMapping"));
        }
        Ok(schema)
    }

    /// Its name in a topic's properties.
    pub fn name(&self) -> &'static str {
        self.shape().name()
    }

    /// The mapping of a custom schema.
    pub fn mapping(&self) -> Option<&InputSchemaMapping> {
        match self {
            Self::Custom(mapping) => Some(mapping),
            Self::EventGrid | Self::CloudEvents => None,
        }
    }

    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::EventGrid => Shape::EventGrid,
            Self::CloudEvents => Shape::CloudEvents,
            Self::Custom(_) => Shape::Custom,
        }
    }
}

impl fmt::Display for InputSchema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The form of an accepted event: an input schema without its mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Event Grid's own.
    EventGrid,
    /// CloudEvents 1.0.
    CloudEvents,
    /// Any object.
    Custom,
}

impl Shape {
    /// The name of the input schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventGrid => "EventGridSchema",
            Self::CloudEvents => "CloudEventSchemaV1_0",
            Self::Custom => "CustomEventSchema",
        }
    }

    /// Finds the input schema with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::EventGrid, Self::CloudEvents, Self::Custom]
            .into_iter()
            .find(|shape| shape.name() == name)
    }
}

/// What an event subscription's destination gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliverySchema {
    /// `EventGridSchema`.
    EventGrid,
    /// `CloudEventSchemaV1_0`.
    CloudEvents,
    /// `CustomInputSchema`: what was published, unchanged.
    CustomInput,
}

impl DeliverySchema {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EventGrid, Self::CloudEvents, Self::CustomInput];

    /// Its name in a subscription's `eventDeliverySchema`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventGrid => "EventGridSchema",
            Self::CloudEvents => "CloudEventSchemaV1_0",
            Self::CustomInput => "CustomInputSchema",
        }
    }

    /// Finds the schema with this name; case does not matter.
    ///
    /// # Errors
    /// Lists the names that there are.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|schema| schema.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            invalid(
                "The property 'eventDeliverySchema' is none of EventGridSchema, \
                 CloudEventSchemaV1_0 and CustomInputSchema. Use one of these.",
            )
            .target("eventDeliverySchema")
        })
    }

    /// The schema of a subscription that asks for `requested`, or for nothing, on a topic with
    /// `input`. Nothing means Event Grid's own where that is possible.
    ///
    /// # Errors
    /// When events of `input` have no such form.
    pub fn choose(requested: Option<Self>, input: &InputSchema) -> Result<Self> {
        let possible = Self::of_input(input.shape());
        match requested {
            None => Ok(possible[0]),
            Some(schema) if possible.contains(&schema) => Ok(schema),
            Some(schema) => {
                let names: Vec<_> = possible.iter().map(|schema| schema.name()).collect();
                let message = format!(
                    "Events of a topic with the input schema {input} cannot be delivered as {}. \
                     Set 'eventDeliverySchema' to {}.",
                    schema.name(),
                    names.join(" or ")
                );
                Err(invalid(message).target("eventDeliverySchema"))
            }
        }
    }

    /// The forms that events of `shape` can be delivered in; the first is the default. That custom
    /// events can leave as CloudEvents is an extension.
    pub fn of_input(shape: Shape) -> &'static [Self] {
        match shape {
            Shape::EventGrid => &[Self::EventGrid, Self::CloudEvents],
            Shape::CloudEvents => &[Self::CloudEvents],
            Shape::Custom => &[Self::EventGrid, Self::CustomInput, Self::CloudEvents],
        }
    }
}

impl fmt::Display for DeliverySchema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_documented_conversions_exist() {
        let custom = InputSchema::parse(Some("customeventschema"), None).unwrap();
        let rows = [
            (InputSchema::EventGrid, [true, true, false], DeliverySchema::EventGrid),
            (InputSchema::CloudEvents, [false, true, false], DeliverySchema::CloudEvents),
            (custom, [true, true, true], DeliverySchema::EventGrid),
        ];
        for (input, possible, default) in rows {
            assert_eq!(DeliverySchema::choose(None, &input).unwrap(), default, "{input}");
            for (schema, possible) in DeliverySchema::ALL.into_iter().zip(possible) {
                let chosen = DeliverySchema::choose(Some(schema), &input);
                assert_eq!(chosen.is_ok(), possible, "{input} to {schema}");
            }
        }
    }

    #[test]
    fn a_mapping_belongs_to_a_custom_schema() {
        let mapping = json!({"inputSchemaMappingType":"Json","properties":{}});
        let error = InputSchema::parse(None, Some(&mapping)).unwrap_err();
        assert_eq!(error.target_name(), Some("inputSchemaMapping"));
        assert!(InputSchema::parse(Some("CustomEventSchema"), Some(&mapping)).is_ok());
        assert!(InputSchema::parse(Some("CloudEventSchemaV1_0"), Some(&Value::Null)).is_ok());
        assert!(InputSchema::parse(Some("Other"), None).is_err());
    }
}
