//! The rules for CloudEvents 1.0 in JSON.
//!
//! Attribute names are case-sensitive, as the specification has it. Extension attributes are passed
//! on whatever they hold. That an id is unique for its source is not enforced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Attributes;
use super::refusal::Problem;
use crate::calendar;
use crate::json::{self, Members, Token};

/// Reads the attributes and the data of one event.
pub(super) fn read(members: Members<'_>) -> Result<(Attributes, Option<&str>), Problem> {
    let fields = Fields(members);
    fields.check_names()?;
    if &*fields.required("specversion")? != "1.0" {
        return Err(Problem::Field { name: "specversion", expected: "\"1.0\"" });
    }
    let attributes = Attributes {
        id: fields.required("id")?,
        source: Some(fields.required("source")?),
        event_type: fields.required("type")?,
        subject: fields.optional("subject")?,
        time: fields.optional("time")?,
        data_version: Box::default(),
    };
    if attributes.time.as_deref().is_some_and(|time| calendar::parse_with_zone(time).is_none()) {
        let expected = "an RFC 3339 time, as in 2026-01-31T12:00:00Z";
        return Err(Problem::Field { name: "time", expected });
    }
    for name in ["datacontenttype", "dataschema"] {
        fields.optional(name)?;
    }
    let data = fields.0.get("data");
    if let Some(encoded) = fields.optional("data_base64")? {
        if data.is_some() {
            return Err(Problem::TwoData);
        }
        if STANDARD.decode(encoded.as_bytes()).is_err() {
            return Err(Problem::Field { name: "data_base64", expected: "base64 with padding" });
        }
    }
    Ok((attributes, data))
}

struct Fields<'a>(Members<'a>);

impl Fields<'_> {
    /// The original is passed on as it is, so a name that occurs twice would leave it to each
    /// receiver which of the values to believe.
    fn check_names(&self) -> Result<(), Problem> {
        match self.0.repeated() {
            Some(name) => Err(Problem::Twice(name.to_owned())),
            None => Ok(()),
        }
    }

    fn optional(&self, name: &'static str) -> Result<Option<Box<str>>, Problem> {
        let Some(value) = self.0.get(name).filter(|value| Token::of(value) != Token::Null) else {
            return Ok(None);
        };
        let text = json::text(value).ok_or(Problem::Field { name, expected: "a string" })?;
        Ok(Some(text.into()))
    }

    fn required(&self, name: &'static str) -> Result<Box<str>, Problem> {
        self.optional(name)?.filter(|text| !text.is_empty()).ok_or(Problem::Missing(name))
    }
}
