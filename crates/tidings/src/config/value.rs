//! One value against its kind: what is accepted, and what is said when it is not.
//!
//! The same rules hold for a TOML value and for the text of a variable or flag; texts are first
//! parsed as the kind wants. Messages name the key but repeat a value only where it is harmless.

use std::net::IpAddr;

use edge::outbound::Cidr;
use webpubsub::name::HubName;
use webpubsub::upstream::{EventPattern, SystemEvents, UrlTemplate};

use super::names;
use super::problem::Place;
use super::table::{Key, Kind, Literal};

/// A value that fits its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// For ports and integers, within bounds.
    Integer(u64),
    /// For yes or no.
    Boolean(bool),
    /// For everything else that is single.
    Text(String),
    /// For lists: each element with its own place.
    List(Vec<(String, Place)>),
}

/// A value as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// A TOML string.
    Text(&'a str),
    /// A TOML integer, `None` when it does not fit 64 bits.
    Integer(Option<i64>),
    /// A TOML float.
    Decimal(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// The text of an environment variable or a flag.
    Unquoted(&'a str),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
}

/// Why a value was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) help: String,
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Integer(number) => Self::Integer(number),
            Literal::Boolean(boolean) => Self::Boolean(boolean),
            Literal::Text(text) => Self::Text(text.to_owned()),
        }
    }
}

/// Checks one single value of `kind` (for lists: one element) under the name of its key.
pub(super) fn accept(key: &Key, kind: &Kind, raw: Raw<'_>) -> Result<Value, Complaint> {
    match kind {
        Kind::Boolean => return accept_boolean(key, raw),
        Kind::Factor => return accept_factor(key, raw),
        Kind::Numeral { min, max, unit } => {
            let integer = Kind::Integer { min: *min, max: *max, unit };
            return accept(key, &integer, raw).map(|number| match number {
                Value::Integer(number) => Value::Text(number.to_string()),
                other => other,
            });
        }
        _ => {}
    }
    match (bounds(kind), raw) {
        (Some(bounds), Raw::Integer(number)) => within(key, bounds, number.map(i128::from)),
        (Some(bounds), Raw::Unquoted(text)) => match text.trim().parse::<i128>() {
            Ok(number) => within(key, bounds, Some(number)),
            Err(_) => Err(Complaint {
                message: format!("{} must be a whole number, but it is \"{text}\"", key.path),
                help: "give digits alone, such as 1234".to_owned(),
            }),
        },
        (None, Raw::Text(text) | Raw::Unquoted(text)) => accept_text(key, kind, text),
        (_, Raw::Text(_)) => Err(wrong_type(key, kind, "a string")),
        (_, Raw::Integer(_)) => Err(wrong_type(key, kind, "an integer")),
        (_, Raw::Decimal(_)) => Err(wrong_type(key, kind, "a float")),
        (_, Raw::Boolean(_)) => Err(wrong_type(key, kind, "a boolean")),
        (_, Raw::Other(name)) => Err(wrong_type(key, kind, &format!("a {name}"))),
    }
}

fn accept_boolean(key: &Key, raw: Raw<'_>) -> Result<Value, Complaint> {
    match raw {
        Raw::Boolean(boolean) => Ok(Value::Boolean(boolean)),
        Raw::Unquoted(text) => match text.trim().parse() {
            Ok(boolean) => Ok(Value::Boolean(boolean)),
            Err(_) => Err(wrong_type(key, &Kind::Boolean, &format!("\"{text}\""))),
        },
        Raw::Text(_) => Err(wrong_type(key, &Kind::Boolean, "a string")),
        Raw::Integer(_) => Err(wrong_type(key, &Kind::Boolean, "an integer")),
        Raw::Decimal(_) => Err(wrong_type(key, &Kind::Boolean, "a float")),
        Raw::Other(name) => Err(wrong_type(key, &Kind::Boolean, &format!("a {name}"))),
    }
}

/// The smallest and the largest factor: beyond them, time stands still or flies.
const FACTORS: std::ops::RangeInclusive<f64> = 0.000_001..=1000.0;

fn accept_factor(key: &Key, raw: Raw<'_>) -> Result<Value, Complaint> {
    let number = match raw {
        Raw::Decimal(number) => Some(number),
        Raw::Text(text) | Raw::Unquoted(text) => text.trim().parse().ok(),
        Raw::Integer(Some(number)) => number.to_string().parse().ok(),
        Raw::Integer(None) | Raw::Boolean(_) | Raw::Other(_) => None,
    };
    match number.filter(|number| FACTORS.contains(number)) {
        Some(number) => Ok(Value::Text(number.to_string())),
        None => Err(Complaint {
            message: format!("{} must be a number from 0.000001 to 1000", key.path),
            help: "write 0.001 for a thousandth of the time, 1 for the real one".to_owned(),
        }),
    }
}

fn bounds(kind: &Kind) -> Option<(u64, u64, &'static str)> {
    match kind {
        Kind::Port => Some((0, u64::from(u16::MAX), "(0 picks a free port)")),
        Kind::Integer { min, max, unit } => Some((*min, *max, unit)),
        Kind::Boolean
        | Kind::Numeral { .. }
        | Kind::Factor
        | Kind::Text
        | Kind::Address
        | Kind::Choice(_)
        | Kind::Path
        | Kind::Variable
        | Kind::Name
        | Kind::Host
        | Kind::Endpoint
        | Kind::Range
        | Kind::Hub
        | Kind::UrlTemplate
        | Kind::EventPattern
        | Kind::SystemEvent
        | Kind::List(_) => None,
    }
}

fn within(
    key: &Key,
    (min, max, unit): (u64, u64, &str),
    number: Option<i128>,
) -> Result<Value, Complaint> {
    if let Some(number) = number.and_then(|number| u64::try_from(number).ok())
        && (min..=max).contains(&number)
    {
        return Ok(Value::Integer(number));
    }
    let given = number.map_or_else(|| "too large".to_owned(), |number| number.to_string());
    Err(Complaint {
        message: format!("{} is {given}, which is out of range", key.path),
        help: format!("use a number from {min} to {max} {unit}"),
    })
}

fn accept_text(key: &Key, kind: &Kind, text: &str) -> Result<Value, Complaint> {
    let path = key.path;
    let refuse = |message: String, help: &str| Err(Complaint { message, help: help.to_owned() });
    match kind {
        Kind::Address => match text.trim().parse::<IpAddr>() {
            Ok(address) => Ok(Value::Text(address.to_string())),
            Err(_) => refuse(
                format!("{path} is \"{text}\", which is not an IP address"),
                "use an address such as 127.0.0.1, 0.0.0.0 or ::1, without a port",
            ),
        },
        Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::Choice(words) => {
            let help = match names::nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"? possible: {}", words.join(", ")),
                None => format!("possible: {}", words.join(", ")),
            };
            refuse(format!("{path} is \"{text}\", which it does not know"), &help)
        }
        Kind::Path | Kind::Text if text.is_empty() => {
            refuse(format!("{path} is empty"), "give a value, or remove the key")
        }
        Kind::Variable if text.is_empty() || text.contains(['=', '\0', ' ']) => refuse(
            format!("{path} is not the name of an environment variable"),
            "give the variable's name here and the secret in the variable",
        ),
        Kind::Name if !names::is_resource_name(text) => refuse(
            format!("{path} is \"{text}\", which is not a resource name"),
            "use 2 to 63 characters: lower-case letters, digits and hyphens, a letter first",
        ),
        Kind::Host if !names::is_host(text) => refuse(
            format!("{path} holds \"{text}\", which is not a host name"),
            "give a name such as chat.example.com, without scheme, port, path and wildcard",
        ),
        Kind::Host => Ok(Value::Text(text.to_ascii_lowercase())),
        Kind::Endpoint => match names::endpoint(text) {
            Ok(endpoint) => Ok(Value::Text(endpoint)),
            Err(reason) => refuse(
                format!("{path} holds an address that cannot be used: {reason}"),
                "give scheme, host and perhaps a port, such as https://chat.example.com",
            ),
        },
        Kind::Path | Kind::Variable | Kind::Name | Kind::Text => Ok(Value::Text(text.to_owned())),
        Kind::Range | Kind::Hub | Kind::UrlTemplate | Kind::EventPattern | Kind::SystemEvent => {
            accept_foreign(key, kind, text)
        }
        Kind::Port
        | Kind::Integer { .. }
        | Kind::Numeral { .. }
        | Kind::Factor
        | Kind::Boolean
        | Kind::List(_) => Err(wrong_type(key, kind, "a string")),
    }
}

/// What another part of the program knows how to read: the parser that will read it decides.
fn accept_foreign(key: &Key, kind: &Kind, text: &str) -> Result<Value, Complaint> {
    let (reason, help) = match kind {
        Kind::Range => (text.parse::<Cidr>().err().map(|it| it.to_string()), "write such a range"),
        Kind::Hub if text == "*" => (None, ""),
        Kind::Hub => (
            HubName::parse(text).err().map(|it| it.message().to_owned()),
            "give the name of a hub, or * for every hub without a table of its own",
        ),
        Kind::UrlTemplate => (
            UrlTemplate::parse(text).err().map(|it| it.to_string()),
            "give a URL such as https://app.example.com/eventhandler/{event}",
        ),
        Kind::EventPattern => (
            EventPattern::parse(text).err().map(|it| it.to_string()),
            "give \"*\" for all user events, or names such as \"order,refund\"",
        ),
        _ => (
            SystemEvents::parse([text]).err().map(|it| it.to_string()),
            "remove it, or correct its spelling",
        ),
    };
    match reason {
        None => Ok(Value::Text(text.to_owned())),
        Some(reason) => Err(Complaint {
            message: format!("{} cannot be used: {}", key.path, reason.trim_end_matches('.')),
            help: help.to_owned(),
        }),
    }
}

/// The complaint about a value of the wrong type; `found` says what it is.
pub(super) fn wrong_type(key: &Key, kind: &Kind, found: &str) -> Complaint {
    let path = key.path;
    let (expected, help) = match kind {
        Kind::Port | Kind::Integer { .. } | Kind::Numeral { .. } => {
            ("a whole number", format!("write {} = 1234, without quotes", key.name()))
        }
        Kind::Boolean => ("true or false", format!("write {} = true, without quotes", key.name())),
        Kind::List(Kind::Numeral { .. }) => {
            ("a list of whole numbers", format!("write {} = [1, 2]", key.name()))
        }
        Kind::List(_) => ("a list of strings", format!("write {} = [\"…\", \"…\"]", key.name())),
        Kind::Factor => ("a number", format!("write {} = 0.001, without quotes", key.name())),
        Kind::Address
        | Kind::Choice(_)
        | Kind::Text
        | Kind::Path
        | Kind::Variable
        | Kind::Name
        | Kind::Host
        | Kind::Endpoint
        | Kind::Range
        | Kind::Hub
        | Kind::UrlTemplate
        | Kind::EventPattern
        | Kind::SystemEvent => ("a string", format!("write {} = \"…\", in quotes", key.name())),
    };
    Complaint { message: format!("{path} must be {expected}, but it is {found}"), help }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    fn try_key(path: &str, raw: Raw<'_>) -> Result<Value, Complaint> {
        let key = table::find(path).unwrap();
        accept(key, &key.kind, raw)
    }

    #[test]
    fn variables_and_file_values_follow_the_same_bounds() {
        let path = "server.http_port";
        assert_eq!(try_key(path, Raw::Integer(Some(0))), Ok(Value::Integer(0)));
        assert_eq!(try_key(path, Raw::Unquoted(" 65535 ")), Ok(Value::Integer(65535)));
        for raw in [Raw::Integer(Some(65536)), Raw::Unquoted("65536"), Raw::Integer(Some(-1))] {
            let complaint = try_key(path, raw).unwrap_err();
            assert!(complaint.message.contains("out of range"), "{complaint:?}");
            assert!(complaint.help.contains("0 to 65535"), "{complaint:?}");
        }
        assert!(try_key(path, Raw::Integer(None)).is_err());
        assert!(try_key(path, Raw::Text("8080")).unwrap_err().help.contains("without quotes"));
    }

    #[test]
    fn a_misspelt_word_suggests_the_nearest() {
        let complaint = try_key("log.level", Raw::Text("wran")).unwrap_err();
        assert!(complaint.help.contains("error, warn, info"), "{complaint:?}");
        let complaint = try_key("data.durability", Raw::Text("relax")).unwrap_err();
        assert!(complaint.help.contains("did you mean \"relaxed\"?"), "{complaint:?}");
    }

    #[test]
    fn every_default_is_accepted_by_its_own_kind() {
        for key in table::KEYS {
            for mode in [super::super::Mode::Dev, super::super::Mode::Serve] {
                let raw = match key.preset.literal(mode) {
                    Some(Literal::Integer(number)) => Raw::Integer(i64::try_from(number).ok()),
                    Some(Literal::Boolean(boolean)) => Raw::Boolean(boolean),
                    Some(Literal::Text(text)) => Raw::Text(text),
                    None => continue,
                };
                assert!(accept(key, &key.kind, raw).is_ok(), "{}", key.path);
            }
        }
    }
}
