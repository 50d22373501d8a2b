//! Dates as clients write them, and as the service does.
//!
//! The forms on the way in are those that official clients are known to send; whatever has no zone is
//! UTC.

use jiff::civil::{DateTime, datetime};
use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp as Moment};
use kernel::Timestamp;

/// When something that never ends, ends: the last moment that the service writes.
pub const NEVER: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);

/// Forms beside RFC 3339: .NET's invariant one, RFC 1123, and what JavaScript's `toString` begins with.
const FORMS: [&str; 5] = [
    "%m/%d/%Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%Y-%m-%dT%H:%M:%S%z",
    // of device clients: minutes only
    "%Y-%m-%dT%H:%M%z",
];

/// Reads a date in any of the known forms; a year that cannot be held in microseconds is [`NEVER`].
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // JavaScript adds the zone's name in parentheses.
    let text = text.split(" (").next().unwrap_or(text);
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    // The last moments of the year 9999 are "never" to every client, and too late for most calendars.
    if text.starts_with("9999-12-3") {
        return text.trim_end_matches('Z').parse::<DateTime>().ok().map(|_| NEVER);
    }
    let civil = || text.parse::<DateTime>().ok().and_then(utc);
    let zoned = || text.parse::<Moment>().ok();
    let other = || FORMS.iter().find_map(|form| with_form(form, text));
    let moment = zoned().or_else(civil).or_else(other)?;
    Some(Timestamp::from_micros(moment.as_microsecond()).min(NEVER))
}

fn with_form(form: &str, text: &str) -> Option<Moment> {
    let parsed = strtime::parse(form, text).ok()?;
    parsed.to_timestamp().ok().or_else(|| parsed.to_datetime().ok().and_then(utc))
}

fn utc(civil: DateTime) -> Option<Moment> {
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `2030-01-31T12:00:00.123Z`: milliseconds, as registrations have them. Moments before 1970 or after
/// [`NEVER`] become those.
pub fn with_millis(moment: Timestamp) -> String {
    format!("{}Z", civil(moment).strftime("%Y-%m-%dT%H:%M:%S%.3f"))
}

/// `2030-01-31T12:00:00.1230000Z`: seven digits, as installations have them.
pub fn with_ticks(moment: Timestamp) -> String {
    if moment >= NEVER {
        return "9999-12-31T23:59:59.9999999Z".to_owned();
    }
    format!("{}0Z", civil(moment).strftime("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// `11/22/2026 9:02:15 AM`, as the service ends its sentences.
pub fn with_half_days(moment: Timestamp) -> String {
    civil(moment).strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}

/// `Sun, 22 Nov 2026 09:02:15 GMT`, as storage writes moments (RFC 9110).
pub fn for_http(moment: Timestamp) -> String {
    civil(moment).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `11222026`, the name of a day; and the first moments of the day and of the next one.
pub fn day(moment: Timestamp) -> (String, Timestamp, Timestamp) {
    let name = civil(moment).strftime("%m%d%Y").to_string();
    let start = Timestamp::from_secs(moment.as_secs().max(0).div_euclid(DAY_SECS) * DAY_SECS);
    (name, start, Timestamp::from_secs(start.as_secs() + DAY_SECS))
}

/// The day of a name that [`day`] has given.
pub fn day_of_name(name: &str) -> Option<(Timestamp, Timestamp)> {
    if name.len() != 8 || !name.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let parsed = strtime::parse("%m%d%Y", name).ok()?.to_date().ok()?;
    let moment = utc(parsed.to_datetime(jiff::civil::Time::midnight()))?;
    let (_, from, until) = day(Timestamp::from_secs(moment.as_second()));
    Some((from, until))
}

const DAY_SECS: i64 = 86_400;

fn civil(moment: Timestamp) -> DateTime {
    let micros = moment.as_micros().clamp(0, NEVER.as_micros());
    let since = SignedDuration::from_micros(micros);
    datetime(1970, 1, 1, 0, 0, 0, 0).checked_add(since).expect("the range ends with the year 9999")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clients_form_is_read() {
        let expected = Timestamp::from_secs(1_714_558_800);
        for text in [
            "2024-05-01T10:20:00Z",
            "2024-05-01T10:20:00.0000000Z",
            "2024-05-01T10:20:00",
            "2024-05-01T10:20+0000",
            "2024-05-01T12:20:00+02:00",
            "2024-05-01T12:20:00+0200",
            "05/01/2024 10:20:00",
            "Wed, 01 May 2024 10:20:00 GMT",
            "Wed May 01 2024 12:20:00 GMT+0200 (Central European Summer Time)",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "soon", "2024-13-01T00:00:00Z", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn never_is_never_in_every_form() {
        for text in ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.9999999Z"] {
            let never = parse(text).unwrap();
            assert!(never <= NEVER && with_millis(never) == "9999-12-31T23:59:59.999Z", "{text}");
        }
        assert_eq!(parse("9999-12-31T23:59:59.9999999Z"), Some(NEVER));
        assert_eq!(with_ticks(NEVER), "9999-12-31T23:59:59.9999999Z");
    }

    #[test]
    fn dates_are_written_as_the_service_does() {
        let moment = Timestamp::from_micros(1_714_558_800_120_000);
        assert_eq!(with_millis(moment), "2024-05-01T10:20:00.120Z");
        assert_eq!(with_ticks(moment), "2024-05-01T10:20:00.1200000Z");
        assert_eq!(with_half_days(moment), "5/1/2024 10:20:00 AM");
        assert_eq!(with_millis(Timestamp::from_micros(i64::MAX)), with_millis(NEVER));
    }

    #[test]
    fn a_day_has_a_name_that_leads_back_to_it() {
        let moment = Timestamp::from_secs(1_469_652_430); // 27 July 2016, 20:47:10
        let (name, from, until) = day(moment);
        assert_eq!(name, "07272016");
        assert_eq!(day_of_name(&name), Some((from, until)));
        assert!(from <= moment && moment < until);
        assert_eq!(for_http(moment), "Wed, 27 Jul 2016 20:47:10 GMT");
        for other in ["13012016", "0727201", "all", "+7272016", "02302016"] {
            assert_eq!(day_of_name(other), None, "{other}");
        }
    }
}
