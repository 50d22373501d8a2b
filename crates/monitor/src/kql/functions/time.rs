//! Functions of moments and spans, in UTC.

use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::Takes::{Moment, Number, Span, Text};
use super::{Function, strict, text_of, whole_of};
use crate::kql::moment::{self, DAY, HOUR, MINUTE, SECOND};
use crate::kql::value::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    strict("startofday", &[Moment, Number], Type::Datetime, |it| start(it, "day", false))
        .optional(1),
    strict("startofweek", &[Moment, Number], Type::Datetime, |it| start(it, "week", false))
        .optional(1),
    strict("startofmonth", &[Moment, Number], Type::Datetime, |it| start(it, "month", false))
        .optional(1),
    strict("startofyear", &[Moment, Number], Type::Datetime, |it| start(it, "year", false))
        .optional(1),
    strict("endofday", &[Moment, Number], Type::Datetime, |it| start(it, "day", true)).optional(1),
    strict("endofweek", &[Moment, Number], Type::Datetime, |it| start(it, "week", true))
        .optional(1),
    strict("endofmonth", &[Moment, Number], Type::Datetime, |it| start(it, "month", true))
        .optional(1),
    strict("endofyear", &[Moment, Number], Type::Datetime, |it| start(it, "year", true))
        .optional(1),
    strict("dayofweek", &[Moment], Type::Timespan, |it| match &it[0] {
        Value::Moment(ticks) => Value::Span(weekday(*ticks) * DAY),
        _ => Value::Null,
    }),
    strict("dayofmonth", &[Moment], Type::Int, |it| part_of(it, |at| at.day().into())),
    strict("hourofday", &[Moment], Type::Int, |it| part_of(it, |at| at.hour().into())),
    strict("monthofyear", &[Moment], Type::Int, |it| part_of(it, |at| at.month().into())),
    strict("getmonth", &[Moment], Type::Int, |it| part_of(it, |at| at.month().into())),
    strict("getyear", &[Moment], Type::Int, |it| part_of(it, |at| at.year().into())),
    strict("datetime_diff", &[Text, Moment, Moment], Type::Long, difference),
    strict("datetime_add", &[Text, Number, Moment], Type::Datetime, add),
    strict("format_datetime", &[Moment, Text], Type::String, |it| match &it[0] {
        Value::Moment(ticks) => Value::text(formatted(*ticks, &text_of(it, 1))),
        _ => Value::text(""),
    }),
    strict("format_timespan", &[Span, Text], Type::String, |it| match &it[0] {
        Value::Span(ticks) => Value::text(span_formatted(*ticks, &text_of(it, 1))),
        _ => Value::text(""),
    }),
    strict("unixtime_seconds_todatetime", &[Number], Type::Datetime, |it| unix(it, SECOND)),
    strict("unixtime_milliseconds_todatetime", &[Number], Type::Datetime, |it| {
        unix(it, SECOND / 1000)
    }),
];

fn unix(values: &[Value], of: i64) -> Value {
    let ticks = whole_of(values, 0).and_then(|count| count.checked_mul(of));
    ticks.map_or(Value::Null, Value::Moment)
}

fn part_of(values: &[Value], part: fn(&DateTime) -> i64) -> Value {
    match &values[0] {
        Value::Moment(ticks) => Value::Long(part(&moment::civil(*ticks))),
        _ => Value::Null,
    }
}

/// Days since Sunday.
fn weekday(ticks: i64) -> i64 {
    moment::civil(ticks).weekday().to_sunday_zero_offset().into()
}

/// The first moment of a period, or the last one.
fn start(values: &[Value], period: &str, end: bool) -> Value {
    let Value::Moment(ticks) = &values[0] else { return Value::Null };
    let shift = whole_of(values, 1).unwrap_or(0).saturating_add(i64::from(end));
    let at = moment::civil(*ticks);
    let first = match period {
        "year" => at.first_of_year(),
        "month" => at.first_of_month(),
        _ => at,
    };
    let first = first.date().at(0, 0, 0, 0);
    let first =
        if period == "week" { first.checked_sub(weekday(*ticks).days()).ok() } else { Some(first) };
    let shifted = first.and_then(|it| shifted(it, period, shift));
    let moment = shifted.and_then(moment::of_civil);
    moment.map_or(Value::Null, |it| Value::Moment(it - i64::from(end)))
}

/// A moment some periods later.
fn shifted(at: DateTime, period: &str, count: i64) -> Option<DateTime> {
    let span = match period {
        "year" => jiff::Span::new().try_years(count),
        "quarter" => jiff::Span::new().try_months(count.checked_mul(3)?),
        "month" => jiff::Span::new().try_months(count),
        "week" => jiff::Span::new().try_weeks(count),
        _ => jiff::Span::new().try_days(count),
    };
    at.checked_add(span.ok()?).ok()
}

/// Ticks of a period that always has as many.
fn fixed(period: &str) -> Option<i64> {
    Some(match period {
        "week" => 7 * DAY,
        "day" => DAY,
        "hour" => HOUR,
        "minute" => MINUTE,
        "second" => SECOND,
        "millisecond" => SECOND / 1000,
        "microsecond" => 10,
        "nanosecond" => 1,
        _ => return None,
    })
}

/// How many boundaries of the period lie between the moments.
fn difference(values: &[Value]) -> Value {
    let (Value::Moment(one), Value::Moment(two)) = (&values[1], &values[2]) else {
        return Value::Null;
    };
    let period = text_of(values, 0).to_lowercase();
    if period == "nanosecond" {
        return one
            .checked_sub(*two)
            .and_then(|it| it.checked_mul(100))
            .map_or(Value::Null, Value::Long);
    }
    if period == "week" {
        // Weeks start on Sunday; 1970-01-01 was a Thursday.
        let week = |ticks: i64| (ticks + 4 * DAY).div_euclid(7 * DAY);
        return Value::Long(week(*one) - week(*two));
    }
    if let Some(of) = fixed(&period) {
        return Value::Long(one.div_euclid(of) - two.div_euclid(of));
    }
    let months = |ticks: i64| {
        let at = moment::civil(ticks);
        i64::from(at.year()) * 12 + i64::from(at.month()) - 1
    };
    let of = match period.as_str() {
        "year" => 12,
        "quarter" => 3,
        "month" => 1,
        _ => return Value::Null,
    };
    Value::Long(months(*one).div_euclid(of) - months(*two).div_euclid(of))
}

fn add(values: &[Value]) -> Value {
    let (Some(count), Value::Moment(ticks)) = (whole_of(values, 1), &values[2]) else {
        return Value::Null;
    };
    let period = text_of(values, 0).to_lowercase();
    if let Some(of) = fixed(&period) {
        let sum = count.checked_mul(of).and_then(|it| it.checked_add(*ticks));
        return sum.map_or(Value::Null, Value::Moment);
    }
    if !matches!(period.as_str(), "year" | "quarter" | "month") {
        return Value::Null;
    }
    let at = shifted(moment::civil(*ticks), &period, count);
    at.and_then(moment::of_civil).map_or(Value::Null, Value::Moment)
}

/// Letters of a format stand for parts of the moment, everything else for itself.
fn formatted(ticks: i64, format: &str) -> String {
    let at = moment::civil(ticks);
    let hour12 = if at.hour() % 12 == 0 { 12 } else { at.hour() % 12 };
    runs(format, |letter, width| {
        let number = match letter {
            'y' if width <= 2 => i64::from(at.year() % 100),
            'y' => at.year().into(),
            'M' => at.month().into(),
            'd' => at.day().into(),
            'H' => at.hour().into(),
            'h' => hour12.into(),
            'm' => at.minute().into(),
            's' => at.second().into(),
            'f' | 'F' => return Some(fraction(ticks.rem_euclid(SECOND), width, letter == 'F')),
            't' => return Some(if at.hour() < 12 { "AM" } else { "PM" }.to_owned()),
            _ => return None,
        };
        Some(format!("{number:0width$}"))
    })
}

fn span_formatted(ticks: i64, format: &str) -> String {
    let size = ticks.unsigned_abs();
    let unit = |of: i64| size / of.unsigned_abs();
    runs(format, |letter, width| {
        let number = match letter {
            'd' => unit(DAY),
            'H' | 'h' => unit(HOUR) % 24,
            'm' => unit(MINUTE) % 60,
            's' => unit(SECOND) % 60,
            'f' | 'F' => {
                let rest = i64::try_from(size % SECOND.unsigned_abs()).unwrap_or(0);
                return Some(fraction(rest, width, letter == 'F'));
            }
            _ => return None,
        };
        Some(format!("{number:0width$}"))
    })
}

/// Each run of one letter through `part`; what it does not know stays.
fn runs(format: &str, part: impl Fn(char, usize) -> Option<String>) -> String {
    let mut out = String::new();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut width = 1;
        while width < 9 && letters.next_if_eq(&letter).is_some() {
            width += 1;
        }
        match part(letter, width) {
            Some(text) => out.push_str(&text),
            None => out.extend(std::iter::repeat_n(letter, width)),
        }
    }
    out
}

fn fraction(ticks: i64, width: usize, trimmed: bool) -> String {
    let digits: String = format!("{ticks:07}").chars().take(width).collect();
    if trimmed { digits.trim_end_matches('0').to_owned() } else { digits }
}
