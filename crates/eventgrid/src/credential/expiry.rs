//! The expiry of a shared access signature, in the forms that SDKs and people write.
//!
//! `1/2/2027 3:04:05 AM` (JavaScript and .NET, American order, some with a comma or a narrow space),
//! `2027-01-02 03:04:05+00:00` (Python), `2027-01-02T03:04:05Z`. Without a zone it is UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use kernel::Timestamp;

use crate::calendar::parse_with_zone;

/// Reads an expiry, already percent-decoded.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        [date, rest @ ..] if date.contains('/') => american(date, rest).and_then(in_utc),
        [moment] => iso(moment),
        [date, time] if time.contains('T') || date.contains('T') => {
            // A plus sign of the zone that was not percent-encoded has become a space.
            iso(&format!("{date}+{time}"))
        }
        [date, time] => iso(&format!("{date}T{time}")),
        [date, time, zone] => iso(&format!("{date}T{time}+{zone}")),
        _ => None,
    }
}

fn iso(text: &str) -> Option<Timestamp> {
    parse_with_zone(text).or_else(|| in_utc(text.parse::<DateTime>().ok()?))
}

fn american(date: &str, rest: &[&str]) -> Option<DateTime> {
    let mut numbers = date.split('/');
    let (month, day) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let year = numbers.next()?.parse().ok()?;
    if numbers.next().is_some() {
        return None;
    }
    let date = Date::new(year, month, day).ok()?;
    let (time, half) = match rest {
        [time] => (*time, None),
        [time, half] => (*time, Some(*half)),
        _ => return None,
    };
    let mut numbers = time.split(':');
    let hour: i8 = numbers.next()?.parse().ok()?;
    let minute = numbers.next()?.parse().ok()?;
    let second = numbers.next().map_or(Some(0), |second| second.parse().ok())?;
    if numbers.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(_) if !(0..=12).contains(&hour) => return None,
        // The JavaScript helper writes the hour after noon so, and nobody writes midnight so.
        Some(half) if hour == 0 && half.eq_ignore_ascii_case("AM") => 12,
        Some(half) if half.eq_ignore_ascii_case("AM") => hour % 12,
        Some(half) if half.eq_ignore_ascii_case("PM") => hour % 12 + 12,
        Some(_) => return None,
    };
    Some(date.to_datetime(Time::new(hour, minute, second, 0).ok()?))
}

fn in_utc(moment: DateTime) -> Option<Timestamp> {
    let moment = moment.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_is_the_same_moment() {
        for text in [
            "1/2/2027 3:04:05 AM",
            "1/2/2027, 3:04:05\u{202f}AM",
            "01/02/2027 03:04:05",
            "2027-01-02 03:04:05+00:00",
            "2027-01-02 03:04:05 00:00",
            "2027-01-02 03:04:05.000000",
            "2027-01-02 03:04:05",
            "2027-01-02T03:04:05Z",
            "2027-01-02T03:04:05",
            "2027-01-02T03:04:05.0000000Z",
            "2027-01-02T04:04:05+01:00",
            "2027-01-02T04:04:05 01:00",
        ] {
            assert_eq!(parse(text), Some(Timestamp::from_secs(1_798_859_045)), "{text}");
        }
    }

    #[test]
    fn noon_and_midnight_have_their_halves() {
        let hour = |text: &str| {
            let start = parse("1/1/2027 12:00:00 AM").unwrap();
            parse(text).unwrap().since(start).as_secs() / 3600
        };
        assert_eq!(hour("1/1/2027 12:30:00 AM"), 0);
        assert_eq!(hour("1/1/2027 12:30:00 PM"), 12);
        assert_eq!(hour("1/1/2027 0:30:00 AM"), 12, "as the JavaScript helper writes noon");
        assert_eq!(hour("1/1/2027 0:30:00"), 0);
        assert_eq!(hour("1/1/2027 11:00:00 PM"), 23);
    }

    #[test]
    fn nothing_else_is_read() {
        for text in [
            "",
            "soon",
            "13/1/2027 1:00:00 AM",
            "1/2/2027",
            "1/2/2027 13:00:00 PM",
            "1/2/2027 3:04:05 XM",
            "1798859045",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn near_misses_never_panic(text in "[0-9TZ/:+ .APM,-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
