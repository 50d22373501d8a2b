//! The claims of a verified token.
//!
//! A claim may be one value, an array, or repeated in the object (RFC 7519 leaves a reader the
//! choice; the emulated service takes each occurrence as one claim). Whether the claims permit
//! anything is for the caller.

use std::fmt;

use kernel::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::refusal::{Malformed, Part, Refusal};

/// Who the bearer of a verified token is and what the token grants.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `sub`: the user, when the token names one.
    pub user_id: Option<String>,
    /// `role`: what the client may do, as in `webpubsub.sendToGroup`.
    pub roles: Vec<String>,
    /// `webpubsub.group`: the groups that the client joins when it connects.
    pub groups: Vec<String>,
    /// `exp`: checked when the token is used; a live connection outlives it.
    pub expires_at: Timestamp,
    /// Every claim as it came; a repeated one as an array.
    pub raw: Map<String, Value>,
}

/// A claims object before its times and audience are checked.
pub(crate) struct RawClaims(Map<String, Value>);

impl RawClaims {
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(payload)
            .map_err(|_| Refusal::Malformed(Malformed::Json(Part::Payload)))
    }

    /// A moment in seconds since 1970; JWT allows fractions.
    pub(crate) fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let malformed = Malformed::Field { name, expected: "a number of seconds since 1970" };
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let whole = number.as_i64();
                // `as` saturates, which is what an expiry beyond all time means.
                let secs = whole.or_else(|| number.as_f64().map(|secs| secs.floor() as i64));
                secs.map(Timestamp::from_secs).map(Some).ok_or(Refusal::Malformed(malformed))
            }
            Some(_) => Err(Refusal::Malformed(malformed)),
        }
    }

    /// A claim that may be absent, one text or several.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<String>, Refusal> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = match self.0.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(text).collect(),
            Some(value) => text(value).map(|text| vec![text]),
        };
        let expected = "a text or an array of texts";
        texts.ok_or(Refusal::Malformed(Malformed::Field { name, expected }))
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(crate) fn into_claims(self, expires_at: Timestamp) -> Result<Claims, Refusal> {
        let user_id = match self.0.get("sub") {
            None | Some(Value::Null) => None,
            Some(Value::String(user)) => Some(user.clone()),
            Some(_) => {
                let malformed = Malformed::Field { name: "sub", expected: "a text" };
                return Err(Refusal::Malformed(malformed));
            }
        };
        let roles = self.texts("role")?;
        let groups = self.texts("webpubsub.group")?;
        Ok(Claims { user_id, roles, groups, expires_at, raw: self.0 })
    }
}

impl<'de> Deserialize<'de> for RawClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CollectClaims)
    }
}

struct CollectClaims;

impl<'de> Visitor<'de> for CollectClaims {
    type Value = RawClaims;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawClaims, A::Error> {
        let mut claims: Map<String, Value> = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            match claims.get_mut(&name) {
                None => {
                    claims.insert(name, value);
                }
                Some(Value::Array(values)) => append(values, value),
                Some(first) => {
                    let mut values = vec![first.take()];
                    append(&mut values, value);
                    *first = Value::Array(values);
                }
            }
        }
        Ok(RawClaims(claims))
    }
}

fn append(values: &mut Vec<Value>, value: Value) {
    match value {
        Value::Array(more) => values.extend(more),
        one => values.push(one),
    }
}
