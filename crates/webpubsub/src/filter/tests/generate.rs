//! Predicates and connections at random, and predicates as text.

use proptest::prelude::*;

use super::super::expression::{Number, Order, Predicate, Scalar, Search, Text};
use super::Connection;

/// Writes an expression with parentheses around every part that has parts.
pub(super) trait Print {
    fn print(&self) -> String;
}

impl Print for Predicate {
    fn print(&self) -> String {
        let join = |parts: &[Self], word: &str| {
            format!("({})", parts.iter().map(Self::print).collect::<Vec<_>>().join(word))
        };
        match self {
            Self::Literal(value) => value.to_string(),
            Self::Not(inner) => format!("(not {})", inner.print()),
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
            Self::Equal(sides) => format!("({} eq {})", sides.0.print(), sides.1.print()),
            Self::Ordered(sides) => {
                let word = match sides.1 {
                    Order::Greater => "gt",
                    Order::GreaterOrEqual => "ge",
                    Order::Less => "lt",
                    Order::LessOrEqual => "le",
                };
                format!("({} {word} {})", sides.0.print(), sides.2.print())
            }
            Self::InGroups(text) => format!("({} in groups)", text.print()),
            Self::OneOf(item, list) => {
                let list: Vec<_> = list.iter().map(Print::print).collect();
                format!("({} in ({}))", item.print(), list.join(","))
            }
            Self::OneOfTexts(item, list) => {
                let list: Vec<_> = list.iter().map(|it| quoted(it)).collect();
                format!("({} in ({}))", item.print(), list.join(", "))
            }
            Self::Search(search, text, part) => {
                let name = match search {
                    Search::Contains => "contains",
                    Search::StartsWith => "startswith",
                    Search::EndsWith => "endswith",
                };
                format!("{name}({},{})", text.print(), part.print())
            }
        }
    }
}

impl Print for Number {
    fn print(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Literal(value) => value.to_string(),
            Self::Length(text) => format!("length({})", text.print()),
            Self::GroupCount => "length(groups)".into(),
            Self::IndexOf(texts) => format!("indexof({},{})", texts.0.print(), texts.1.print()),
        }
    }
}

impl Print for Text {
    fn print(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Literal(text) => quoted(text),
            Self::UserId => "userId".into(),
            Self::ConnectionId => "connectionId".into(),
            Self::Protocol => "protocol".into(),
            Self::Lower(text) => format!("tolower({})", text.print()),
            Self::Upper(text) => format!("toupper({})", text.print()),
            Self::Trim(text) => format!("trim({})", text.print()),
            Self::Substring(parts) => {
                let len = parts.2.as_ref().map(|len| format!(",{}", len.print()));
                let len = len.unwrap_or_default();
                format!("substring({},{}{len})", parts.0.print(), parts.1.print())
            }
            Self::Concat(texts) => format!("concat({},{})", texts.0.print(), texts.1.print()),
        }
    }
}

impl Print for Scalar {
    fn print(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(predicate) => predicate.print(),
            Self::Number(number) => number.print(),
            Self::Text(text) => text.print(),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn any_text() -> impl Strategy<Value = Text> {
    let leaf = prop_oneof![
        "[a-cA-C' é😀]{0,4}".prop_map(|text| Text::Literal(text.into())),
        Just(Text::Null),
        Just(Text::UserId),
        Just(Text::ConnectionId),
        Just(Text::Protocol),
    ];
    leaf.prop_recursive(3, 8, 3, |text| {
        let number = -1..6i64;
        prop_oneof![
            text.clone().prop_map(|it| Text::Lower(it.into())),
            text.clone().prop_map(|it| Text::Upper(it.into())),
            text.clone().prop_map(|it| Text::Trim(it.into())),
            (text.clone(), number.clone(), prop::option::of(number)).prop_map(
                |(text, start, len)| {
                    let parts = (text, Number::Literal(start), len.map(Number::Literal));
                    Text::Substring(parts.into())
                }
            ),
            (text.clone(), text).prop_map(|it| Text::Concat(it.into())),
        ]
    })
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Literal),
        (-1..4i64).prop_map(Number::Literal),
        Just(Number::Null),
        Just(Number::GroupCount),
        any_text().prop_map(|it| Number::Length(it.into())),
        (any_text(), any_text()).prop_map(|it| Number::IndexOf(it.into())),
    ]
}

/// A scalar as the parser gives it: null is of no type.
fn any_scalar(predicate: impl Strategy<Value = Predicate>) -> impl Strategy<Value = Scalar> {
    prop_oneof![
        predicate.prop_map(Scalar::Bool),
        any_number().prop_map(|it| match it {
            Number::Null => Scalar::Null,
            it => Scalar::Number(it),
        }),
        any_text().prop_map(|it| match it {
            Text::Null => Scalar::Null,
            it => Scalar::Text(it),
        }),
    ]
}

pub(super) fn any_predicate() -> impl Strategy<Value = Predicate> {
    let order = prop_oneof![
        Just(Order::Greater),
        Just(Order::GreaterOrEqual),
        Just(Order::Less),
        Just(Order::LessOrEqual),
    ];
    let search =
        prop_oneof![Just(Search::Contains), Just(Search::StartsWith), Just(Search::EndsWith)];
    let typed = any_text().prop_filter("a null item is of no type", |it| *it != Text::Null);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Predicate::Literal),
        (any_number(), order, any_number()).prop_map(|it| Predicate::Ordered(it.into())),
        any_text().prop_map(Predicate::InGroups),
        (typed, prop::collection::btree_set("[a-c' ]{0,2}", 1..4)).prop_map(|(text, list)| {
            Predicate::OneOfTexts(text, list.into_iter().map(Into::into).collect())
        }),
        (search, any_text(), any_text()).prop_map(|(it, a, b)| Predicate::Search(it, a, b)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let scalar = any_scalar(inner.clone()).boxed();
        // A number is in the list, so that it is none of texts alone.
        let list = prop::collection::vec(scalar.clone(), 0..3).prop_map(|mut list| {
            list.push(Scalar::Number(Number::Literal(1)));
            list
        });
        prop_oneof![
            inner.clone().prop_map(|it| Predicate::Not(it.into())),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Predicate::All),
            prop::collection::vec(inner, 2..4).prop_map(Predicate::Any),
            (scalar.clone(), scalar.clone()).prop_map(|it| Predicate::Equal(it.into())),
            (scalar, list).prop_map(|(item, list)| Predicate::OneOf(item.into(), list)),
        ]
    })
}

pub(super) fn any_connection() -> impl Strategy<Value = Connection> {
    let groups = prop::collection::vec("[a-c]{0,3}", 0..4);
    (prop::option::of("[a-cA-C' é😀]{0,6}"), groups).prop_map(|(user, groups)| Connection {
        user,
        groups,
        protocol: None,
    })
}
