//! Moments and spans of the language: ticks of 100 nanoseconds, their spellings, their calendar.
//!
//! A moment is counted from 1970-01-01T00:00:00Z. Whatever lies outside the calendar is its nearest
//! end, so no arithmetic here can fail.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Ticks of a second.
pub(crate) const SECOND: i64 = 10_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// From 0001-01-01, where bins start, to 1970-01-01.
const BEFORE_EPOCH: i64 = 719_162 * DAY;

/// A moment in UTC on the calendar.
pub(crate) fn civil(ticks: i64) -> DateTime {
    let end = if ticks < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let nanos = i128::from(ticks) * 100;
    let moment = jiff::Timestamp::from_nanosecond(nanos).unwrap_or(end);
    TimeZone::UTC.to_datetime(moment)
}

/// The moment at a place of the calendar, in UTC.
pub(crate) fn of_civil(at: DateTime) -> Option<i64> {
    let moment = TimeZone::UTC.to_timestamp(at).ok()?;
    i64::try_from(moment.as_nanosecond().div_euclid(100)).ok()
}

/// ISO 8601 in UTC, with as many digits of the second as are needed.
pub(crate) fn iso(ticks: i64) -> String {
    let at = civil(ticks);
    let fraction = ticks.rem_euclid(SECOND);
    let mut text = date_time(&at);
    if fraction != 0 {
        let digits = format!("{fraction:07}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// ISO 8601 in UTC with seven digits of the second, as `tostring()` writes it.
pub(crate) fn full(ticks: i64) -> String {
    format!("{}.{:07}Z", date_time(&civil(ticks)), ticks.rem_euclid(SECOND))
}

fn date_time(at: &DateTime) -> String {
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// A span as `d.hh:mm:ss.fffffff`; days and fraction only where there are some.
pub(crate) fn span_text(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let ticks = ticks.unsigned_abs();
    let unit = |of: i64| ticks / of.unsigned_abs();
    let (days, hours, minutes, seconds) =
        (unit(DAY), unit(HOUR) % 24, unit(MINUTE) % 60, unit(SECOND) % 60);
    let fraction = ticks % SECOND.unsigned_abs();
    let days = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

/// Reads a moment: a date, then perhaps a time of day, then perhaps a zone (UTC when there is none).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim()),
        None => (text, ""),
    };
    let date = parse_date(date)?;
    let (time, offset) = zone(rest)?;
    let midnight = of_civil(date.at(0, 0, 0, 0))?;
    midnight.checked_add(time_of_day(time)?)?.checked_sub(offset)
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = parts.next().map_or(Some(1), |day| number(day, 2))?;
    if parts.next().is_some() {
        return None;
    }
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The time of day and the distance of its zone from UTC.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, distance) = (text.get(..at)?, text.get(at + 1..)?);
    let (hours, minutes) = match distance.split_once(':') {
        Some(parts) => parts,
        None if distance.len() == 4 => (distance.get(..2)?, distance.get(2..)?),
        None => (distance, "0"),
    };
    let span = number(hours, 2)? * HOUR + number(minutes, 2)? * MINUTE;
    Some((time, if text.as_bytes().get(at) == Some(&b'-') { -span } else { span }))
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`; nothing is midnight.
fn time_of_day(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let mut parts = text.splitn(3, ':');
    let hours = number(parts.next()?, 2).filter(|it| *it < 24)?;
    let minutes = number(parts.next()?, 2).filter(|it| *it < 60)?;
    let seconds = parts.next().map_or(Some(0), seconds)?;
    Some(hours * HOUR + minutes * MINUTE + seconds)
}

fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = number(whole, 2).filter(|it| *it < 60)?;
    Some(whole * SECOND + fraction_ticks(fraction)?)
}

/// The digits after a decimal point of seconds; those beyond the seventh do not count.
fn fraction_ticks(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let seven: String = digits.chars().chain(std::iter::repeat('0')).take(7).collect();
    seven.parse().ok()
}

/// An unsigned number of at most so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= digits;
    text.parse().ok().filter(|_| plain && text.bytes().all(|it| it.is_ascii_digit()))
}

/// Ticks of a unit of span literals such as `5m` or `2days`.
pub(crate) fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "d" | "day" | "days" => DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "m" | "min" | "minute" | "minutes" => MINUTE,
        "s" | "sec" | "second" | "seconds" => SECOND,
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => SECOND / 1000,
        "microsecond" | "microseconds" => 10,
        "tick" | "ticks" => 1,
        _ => return None,
    })
}

/// Reads a span: `1d`, `-1.5h`, `1.02:03:04.5`, `02:03`, or a bare number of days.
pub(crate) fn parse_span(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(positive) = text.strip_prefix('-') {
        return parse_span_unsigned(positive).map(|ticks| -ticks);
    }
    parse_span_unsigned(text)
}

fn parse_span_unsigned(text: &str) -> Option<i64> {
    if text.contains(':') {
        let (days, time) = match (text.find('.'), text.find(':')) {
            (Some(dot), Some(colon)) if dot < colon => {
                (number(text.get(..dot)?, 7)?, text.get(dot + 1..)?)
            }
            _ => (0, text),
        };
        return Some(days * DAY + time_of_day(time)?);
    }
    let digits = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (count, name) = text.split_at(digits);
    if count.is_empty() {
        return None;
    }
    let of = if name.is_empty() { DAY } else { unit(name.trim())? };
    scaled(count, of)
}

/// A decimal number of units.
pub(crate) fn scaled(count: &str, of: i64) -> Option<i64> {
    if let Ok(whole) = count.parse::<i64>() {
        return whole.checked_mul(of);
    }
    let ticks = count.parse::<f64>().ok()? * of as f64;
    (ticks.abs() < i64::MAX as f64).then_some(ticks.round() as i64)
}

/// The start of the bin that a moment is in; bins are counted from 0001-01-01.
pub(crate) fn bin(ticks: i64, size: i64) -> i64 {
    let since = i128::from(ticks) + i128::from(BEFORE_EPOCH);
    let start = since.div_euclid(i128::from(size)) * i128::from(size) - i128::from(BEFORE_EPOCH);
    i64::try_from(start).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_moment_are_one() {
        let expected = parse("2026-11-22T01:55:29.627Z").unwrap();
        for text in [
            "2026-11-22 01:55:29.627",
            "2026-11-22T01:55:29.6270000Z",
            "2026-11-22T02:55:29.627+01:00",
            "2026-11-21T17:55:29.627-0800",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(iso(expected), "2026-11-22T01:55:29.627Z");
        assert_eq!(full(expected), "2026-11-22T01:55:29.6270000Z");
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("1970-01-02 01:00"), Some(25 * HOUR));
        for text in ["", "2026-13-01", "tomorrow", "2026-01-01T25:00", "2026", "2026-01-01T1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_read_back_as_they_are_written() {
        for ticks in [0, 1, DAY, -90 * MINUTE, 3 * DAY + 2 * HOUR + 5 * SECOND + 7] {
            assert_eq!(parse_span(&span_text(ticks)), Some(ticks), "{}", span_text(ticks));
        }
        assert_eq!(parse_span("1.5h"), Some(90 * MINUTE));
        assert_eq!(parse_span("2"), Some(2 * DAY));
        assert_eq!(parse_span("h"), None);
    }

    #[test]
    fn a_moment_outside_the_calendar_is_its_end() {
        assert!(iso(i64::MAX).starts_with("9999-"));
        assert_eq!(bin(parse("2026-11-22T13:00:00Z").unwrap(), DAY), parse("2026-11-22").unwrap());
        // Weeks start on the weekday of 0001-01-01, a Monday.
        assert_eq!(bin(parse("2026-11-22").unwrap(), 7 * DAY), parse("2026-11-16").unwrap());
    }
}
