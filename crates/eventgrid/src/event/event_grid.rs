//! The rules for events of Event Grid's own schema.
//!
//! Names are taken in any case, since hand-written publishers spell them in several; they leave in
//! their proper case. Fields that the schema does not have are not passed on.

use crate::calendar;
use crate::json::{self, Members, Token};

use super::Attributes;
use super::refusal::Problem;

/// Reads the attributes and the data of one event for `topic`.
pub(super) fn read<'a>(
    members: Members<'a>,
    topic: &str,
) -> Result<(Attributes, Option<&'a str>), Problem> {
    let fields = Fields(members);
    let id = fields.required("id")?;
    let subject = fields.required("subject")?;
    let event_type = fields.required("eventType")?;
    let time = fields.required("eventTime")?;
    if calendar::parse_with_zone(&time).is_none() {
        let expected = "an ISO 8601 time with a zone, as in 2026-01-31T12:00:00Z";
        return Err(Problem::Field { name: "eventTime", expected });
    }
    let data_version = fields.optional("dataVersion")?.unwrap_or_default();
    if fields.optional("metadataVersion")?.is_some_and(|version| &*version != "1") {
        return Err(Problem::Field {
            name: "metadataVersion",
            expected: "\"1\", or no such field",
        });
    }
    let own = |seen: &str| seen.is_empty() || seen.eq_ignore_ascii_case(topic);
    if fields.optional("topic")?.is_some_and(|seen| !own(&seen)) {
        let expected = "the resource id of the topic that is published to, or no such field";
        return Err(Problem::Field { name: "topic", expected });
    }
    let attributes = Attributes {
        id,
        event_type,
        subject: Some(subject),
        time: Some(time),
        data_version,
        source: None,
    };
    Ok((attributes, fields.0.get_ignoring_case("data")))
}

struct Fields<'a>(Members<'a>);

impl Fields<'_> {
    fn optional(&self, name: &'static str) -> Result<Option<Box<str>>, Problem> {
        let Some(value) = self.0.get_ignoring_case(name) else { return Ok(None) };
        if Token::of(value) == Token::Null {
            return Ok(None);
        }
        let text = json::text(value).ok_or(Problem::Field { name, expected: "a string" })?;
        Ok(Some(text.into()))
    }

    fn required(&self, name: &'static str) -> Result<Box<str>, Problem> {
        self.optional(name)?.filter(|text| !text.is_empty()).ok_or(Problem::Missing(name))
    }
}
