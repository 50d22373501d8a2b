//! The `filter` object of a subscription: reading with reasons, and writing back.
//!
//! Property and operator names are taken in any case, since older examples write `Operator`, `Key`
//! and `Values`; they are written back in their proper one.

use kernel::{Error, ErrorKind, Result};
use serde_json::{Map, Number, Value, json};

use super::condition::{Condition, NumberOperator, StringOperator};
use super::fold::Folded;
use super::key::Key;
use super::{AdvancedFilter, Filter};

/// How many advanced filters a subscription can have.
pub const MAX_ADVANCED_FILTERS: usize = 25;
/// How many values all advanced filters of a subscription can have together; a range is one.
pub const MAX_VALUES: usize = 25;
/// How long a key or string value can be, in characters.
pub const MAX_CHARACTERS: usize = 512;

/// The operators with a list of numbers or a single one.
const NUMBER_OPERATORS: [(&str, NumberOperator); 6] = [
    ("NumberIn", NumberOperator::In),
    ("NumberNotIn", NumberOperator::NotIn),
    ("NumberLessThan", NumberOperator::LessThan),
    ("NumberLessThanOrEquals", NumberOperator::LessThanOrEquals),
    ("NumberGreaterThan", NumberOperator::GreaterThan),
    ("NumberGreaterThanOrEquals", NumberOperator::GreaterThanOrEquals),
];

const RANGE_OPERATORS: [(&str, bool); 2] = [("NumberInRange", false), ("NumberNotInRange", true)];

const STRING_OPERATORS: [(&str, StringOperator, bool); 8] = [
    ("StringIn", StringOperator::In, false),
    ("StringNotIn", StringOperator::In, true),
    ("StringBeginsWith", StringOperator::BeginsWith, false),
    ("StringNotBeginsWith", StringOperator::BeginsWith, true),
    ("StringEndsWith", StringOperator::EndsWith, false),
    ("StringNotEndsWith", StringOperator::EndsWith, true),
    ("StringContains", StringOperator::Contains, false),
    ("StringNotContains", StringOperator::Contains, true),
];

const BOOL_EQUALS: &str = "BoolEquals";
const IS_NULL: &str = "IsNullOrUndefined";
const IS_NOT_NULL: &str = "IsNotNull";

pub(super) fn filter(json: &Value) -> Result<Filter> {
    if json.is_null() {
        return Ok(Filter::default());
    }
    let object = Object::of(json, "filter".to_owned())?;
    let filter = Filter {
        included_event_types: object.texts("includedEventTypes")?,
        subject_begins_with: object.text("subjectBeginsWith")?.map(Folded::new),
        subject_ends_with: object.text("subjectEndsWith")?.map(Folded::new),
        is_subject_case_sensitive: object.flag("isSubjectCaseSensitive")?,
        enable_advanced_filtering_on_arrays: object.flag("enableAdvancedFilteringOnArrays")?,
        advanced: advanced_filters(&object)?,
    };
    Ok(filter)
}

fn advanced_filters(object: &Object<'_>) -> Result<Option<Vec<AdvancedFilter>>> {
    let name = "advancedFilters";
    let Some(list) = object.list(name)? else { return Ok(None) };
    if list.len() > MAX_ADVANCED_FILTERS {
        let message = format!(
            "The subscription has {} advanced filters, the limit is {MAX_ADVANCED_FILTERS}. \
             Divide them between several subscriptions.",
            list.len()
        );
        return Err(invalid(message, object.path(name)));
    }
    let filters = list.iter().enumerate().map(|(index, filter)| {
        AdvancedFilter::parse(filter, format!("{}[{index}]", object.path(name)))
    });
    let filters = filters.collect::<Result<Vec<_>>>()?;
    let values: usize = filters.iter().map(|filter| filter.condition.count()).sum();
    if values > MAX_VALUES {
        let message = format!(
            "All advanced filters of the subscription have {values} values together, the limit is \
             {MAX_VALUES}. Divide them between several subscriptions."
        );
        return Err(invalid(message, object.path(name)));
    }
    Ok(Some(filters))
}

impl AdvancedFilter {
    fn parse(json: &Value, at: String) -> Result<Self> {
        let object = Object::of(json, at)?;
        // Older examples call it 'operator'.
        let operator = object.text("operatorType")?;
        let operator = match operator {
            None => object.text("operator")?,
            found => found,
        };
        let operator = operator.ok_or_else(|| object.expected("operatorType", &operators()))?;
        let text = object.text("key")?;
        let text = text.ok_or_else(|| object.expected("key", "the name of a value"))?;
        object.check_length("key", text)?;
        let expected = "names with dots between them, such as subject or data.order.total";
        let key = Key::parse(text).ok_or_else(|| object.expected("key", expected))?;
        Ok(Self { key, condition: Condition::parse(operator, &object)? })
    }

    fn to_json(&self) -> Value {
        let mut json =
            json!({ "operatorType": self.condition.name(), "key": self.key.as_written() });
        if let Some((property, operand)) = self.condition.operand() {
            json[property] = operand;
        }
        json
    }
}

impl Condition {
    fn parse(name: &str, object: &Object<'_>) -> Result<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if let Some((_, operator)) = NUMBER_OPERATORS.iter().find(|(other, _)| is(other)) {
            let values = if operator.takes_list() { object.numbers()? } else { object.number()? };
            return Ok(Self::Numbers { operator: *operator, values });
        }
        if let Some((_, negated)) = RANGE_OPERATORS.iter().find(|(other, _)| is(other)) {
            return Ok(Self::Ranges { negated: *negated, ranges: object.ranges()? });
        }
        if let Some((_, operator, negated)) = STRING_OPERATORS.iter().find(|(other, ..)| is(other))
        {
            let values = object.strings()?;
            return Ok(Self::Strings { operator: *operator, negated: *negated, values });
        }
        match () {
            () if is(BOOL_EQUALS) => {
                let value = object.flag("value")?;
                value.map(Self::Bool).ok_or_else(|| object.expected("value", "true or false"))
            }
            () if is(IS_NULL) => Ok(Self::IsNullOrUndefined),
            () if is(IS_NOT_NULL) => Ok(Self::IsNotNull),
            () => Err(object.expected("operatorType", &operators())),
        }
    }

    fn name(&self) -> &'static str {
        let find = || match self {
            Self::Numbers { operator, .. } => {
                NUMBER_OPERATORS.iter().find(|(_, other)| other == operator).map(|row| row.0)
            }
            Self::Ranges { negated, .. } => {
                RANGE_OPERATORS.iter().find(|(_, other)| other == negated).map(|row| row.0)
            }
            Self::Strings { operator, negated, .. } => STRING_OPERATORS
                .iter()
                .find(|(_, other, other_negated)| other == operator && other_negated == negated)
                .map(|row| row.0),
            Self::Bool(_) => Some(BOOL_EQUALS),
            Self::IsNullOrUndefined => Some(IS_NULL),
            Self::IsNotNull => Some(IS_NOT_NULL),
        };
        find().expect("every operator is in a table")
    }

    /// The property that holds what is compared to, and its value.
    fn operand(&self) -> Option<(&'static str, Value)> {
        match self {
            Self::Numbers { operator, values } if operator.takes_list() => {
                Some(("values", json!(values)))
            }
            Self::Numbers { values, .. } => Some(("value", json!(values.first()))),
            Self::Ranges { ranges, .. } => Some(("values", json!(ranges))),
            Self::Strings { values, .. } => {
                let values: Vec<_> = values.iter().map(Folded::as_written).collect();
                Some(("values", json!(values)))
            }
            Self::Bool(value) => Some(("value", json!(value))),
            Self::IsNullOrUndefined | Self::IsNotNull => None,
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.len(),
            Self::Ranges { ranges, .. } => ranges.len(),
            Self::Strings { values, .. } => values.len(),
            Self::Bool(_) => 1,
            Self::IsNullOrUndefined | Self::IsNotNull => 0,
        }
    }
}

impl NumberOperator {
    fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }
}

pub(super) fn to_json(filter: &Filter) -> Value {
    let mut json = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<Folded>| text.as_ref().map(|text| json!(text.as_written()));
    put("includedEventTypes", filter.included_event_types.as_ref().map(|types| json!(types)));
    put("subjectBeginsWith", text(&filter.subject_begins_with));
    put("subjectEndsWith", text(&filter.subject_ends_with));
    put("isSubjectCaseSensitive", filter.is_subject_case_sensitive.map(Value::Bool));
    let arrays = filter.enable_advanced_filtering_on_arrays;
    put("enableAdvancedFilteringOnArrays", arrays.map(Value::Bool));
    let advanced = filter.advanced.as_ref();
    put("advancedFilters", advanced.map(|list| list.iter().map(AdvancedFilter::to_json).collect()));
    Value::Object(json)
}

/// An object of the filter, with its place for refusals.
struct Object<'a> {
    members: &'a Map<String, Value>,
    at: String,
}

impl<'a> Object<'a> {
    fn of(json: &'a Value, at: String) -> Result<Self> {
        match json {
            Value::Object(members) => Ok(Self { members, at }),
            _ => Err(invalid(format!("'{at}' is wrong: expected an object."), at)),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    fn expected(&self, name: &str, expected: &str) -> Error {
        let path = self.path(name);
        invalid(format!("'{path}' is missing or wrong: expected {expected}."), path)
    }

    /// A property by its name in any case; null is as good as absent.
    fn get(&self, name: &str) -> Option<&'a Value> {
        let similar = || {
            let found = self.members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        };
        self.members.get(name).or_else(similar).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.expected(name, expected))
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.read(name, "a string", Value::as_str)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false", Value::as_bool)
    }

    fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>> {
        self.read(name, "an array", Value::as_array)
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        self.read(name, "an array of strings", texts)
    }

    /// The elements of `values`, of which there is at least one.
    fn values<T>(&self, expected: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Vec<T>> {
        let values = self.list("values")?.filter(|values| !values.is_empty());
        let read = values.map(|values| values.iter().map(read).collect::<Option<Vec<T>>>());
        read.flatten().ok_or_else(|| self.expected("values", expected))
    }

    fn numbers(&self) -> Result<Vec<Number>> {
        self.values("an array of numbers, as in [1, 2.5]", |value| value.as_number().cloned())
    }

    fn number(&self) -> Result<Vec<Number>> {
        let number = self.read("value", "a number", |value| value.as_number().cloned())?;
        number.map(|number| vec![number]).ok_or_else(|| self.expected("value", "a number"))
    }

    fn ranges(&self) -> Result<Vec<[Number; 2]>> {
        self.values("an array of ranges, each with its two ends, as in [[1, 2.5]]", |value| {
            let [low, high] = value.as_array()?.as_slice() else { return None };
            Some([low.as_number()?.clone(), high.as_number()?.clone()])
        })
    }

    fn strings(&self) -> Result<Vec<Folded>> {
        let values = self.values("an array of strings", |value| value.as_str())?;
        for value in &values {
            self.check_length("values", value)?;
        }
        Ok(values.into_iter().map(Folded::new).collect())
    }

    fn check_length(&self, name: &str, text: &str) -> Result<()> {
        let characters = text.chars().count();
        if characters <= MAX_CHARACTERS {
            return Ok(());
        }
        let path = self.path(name);
        let message = format!(
            "'{path}' holds a text of {characters} characters, the limit is {MAX_CHARACTERS}."
        );
        Err(invalid(message, path))
    }
}

fn operators() -> String {
    let numbers = NUMBER_OPERATORS.iter().map(|row| row.0);
    let ranges = RANGE_OPERATORS.iter().map(|row| row.0);
    let strings = STRING_OPERATORS.iter().map(|row| row.0);
    let others = [BOOL_EQUALS, IS_NULL, IS_NOT_NULL].into_iter();
    let all: Vec<_> = numbers.chain(ranges).chain(strings).chain(others).collect();
    format!("one of {}", all.join(", "))
}

fn invalid(message: impl Into<String>, at: String) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target(at)
}
