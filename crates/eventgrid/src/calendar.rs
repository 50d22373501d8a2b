//! Moments as text: written as RFC 3339, read in the spellings that publishers use.

use jiff::tz::TimeZone;
use kernel::Timestamp;

/// A moment as RFC 3339 in UTC, to the microsecond at most. One outside the calendar's years is
/// its nearest end.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    at(moment).to_string()
}

/// A moment in UTC on the calendar.
pub(crate) fn utc(moment: Timestamp) -> jiff::civil::DateTime {
    at(moment).to_zoned(TimeZone::UTC).datetime()
}

fn at(moment: Timestamp) -> jiff::Timestamp {
    let end = if moment.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(moment.as_micros()).unwrap_or(end)
}

/// Reads an ISO 8601 time that names its zone, as `Z` or as a distance from UTC with or without a
/// colon.
pub(crate) fn parse_with_zone(text: &str) -> Option<Timestamp> {
    let moment = text.parse::<jiff::Timestamp>().ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_publishers_are_one_moment() {
        for text in [
            "2026-11-22T01:55:29.627Z",
            "2026-11-22T01:55:29.627000+00:00",
            "2026-11-22T02:55:29.627+0100",
            "2026-11-22T01:55:29.6270000Z",
            "2026-11-21 17:55:29.627-08:00",
        ] {
            let moment = parse_with_zone(text).map(rfc3339);
            assert_eq!(moment.as_deref(), Some("2026-11-22T01:55:29.627Z"), "{text}");
        }
        for text in ["2026-11-22T01:55:29", "yesterday", "", "2026-13-01T00:00:00Z"] {
            assert_eq!(parse_with_zone(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_outside_the_calendar_is_its_end() {
        assert!(rfc3339(Timestamp::from_micros(i64::MAX)).starts_with("9999-12-30"));
        assert!(rfc3339(Timestamp::from_micros(i64::MIN)).starts_with("-009999-01-02"));
    }
}
