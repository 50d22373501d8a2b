//! The time range of a request: a duration back from now, or two of start, end and duration.

use crate::kql::moment;

/// From inclusive, to exclusive, in ticks.
pub(crate) type Range = (Option<i64>, Option<i64>);

/// Reads a range; nothing is no bound.
pub(crate) fn parse(text: &str, now: i64) -> Option<Range> {
    let text = text.trim();
    if text.is_empty() {
        return Some((None, None));
    }
    let Some((one, two)) = text.split_once('/') else {
        return Some((Some(now.checked_sub(duration(text)?)?), None));
    };
    let (from, to) = match (duration(one), duration(two)) {
        (None, None) => (moment::parse(one)?, moment::parse(two)?),
        (None, Some(length)) => {
            let from = moment::parse(one)?;
            (from, from.checked_add(length)?)
        }
        (Some(length), None) => {
            let to = moment::parse(two)?;
            (to.checked_sub(length)?, to)
        }
        (Some(_), Some(_)) => return None,
    };
    (from <= to).then_some((Some(from), Some(to)))
}

/// ISO 8601 durations, with decimals in any part as some clients write them. A month has 30 days and
/// a year 365.
fn duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let date = parts(days, |unit| {
        Some(match unit {
            'Y' => 365 * moment::DAY,
            'M' => 30 * moment::DAY,
            'W' => 7 * moment::DAY,
            'D' => moment::DAY,
            _ => return None,
        })
    })?;
    let time = parts(time, |unit| {
        Some(match unit {
            'H' => moment::HOUR,
            'M' => moment::MINUTE,
            'S' => moment::SECOND,
            _ => return None,
        })
    })?;
    date.checked_add(time)
}

fn parts(mut text: &str, ticks: impl Fn(char) -> Option<i64>) -> Option<i64> {
    let mut sum = 0_i64;
    while !text.is_empty() {
        let end = text.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (count, rest) = text.split_at(end);
        let mut rest = rest.chars();
        sum = sum.checked_add(moment::scaled(count, ticks(rest.next()?)?)?)?;
        text = rest.as_str();
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_range_is_read() {
        let at = |text| moment::parse(text);
        let now = moment::parse("2026-11-22T12:00:00Z").unwrap();
        let start = "2026-11-21T12:00:00Z";
        for (text, expected) in [
            ("P1D", (at(start), None)),
            ("PT86400.0S", (at(start), None)),
            ("P0DT23H59M60S", (at(start), None)),
            ("2026-11-21T12:00:00Z/2026-11-22T12:00:00.000Z", (at(start), Some(now))),
            ("2026-11-21T12:00:00Z/P1D", (at(start), Some(now))),
            ("P1D/2026-11-22T12:00:00+00:00", (at(start), Some(now))),
            ("", (None, None)),
        ] {
            assert_eq!(parse(text, now), Some(expected), "{text}");
        }
        for text in
            ["P", "1D", "P1D/P1D", "2026/2027", "PT1", "2026-11-22/2026-11-21", "P9999999999Y"]
        {
            assert_eq!(parse(text, now), None, "{text}");
        }
    }
}
