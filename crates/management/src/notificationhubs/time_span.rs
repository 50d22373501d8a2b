//! `registrationTtl`: a time span in the form of .NET, `[d.]hh:mm:ss[.fffffff]`.

use std::time::Duration;

use kernel::Result;

use crate::fault;

/// What stands for "never": the longest time span that .NET has, 2⁶³ - 1 ticks of 100 ns.
pub(super) const NEVER: &str = "10675199.02:48:05.4775807";

const NEVER_TICKS: u128 = i64::MAX as u128;
/// The shortest time that the service takes, as documented.
const LEAST: Duration = Duration::from_secs(86_400);

/// Reads a time to live; `None` is for ever.
///
/// # Errors
/// `InvalidRequestContent` when it is none, or shorter than a day.
pub(super) fn parse(text: &str) -> Result<Option<Duration>> {
    let refused = |what: &str| {
        let message = format!(
            "registrationTtl {what}. It is a time span of a day at least, such as 90.00:00:00 for 90 \
             days; {NEVER} is for ever."
        );
        fault::content("properties.registrationTtl", message)
    };
    let ticks = ticks(text.trim()).ok_or_else(|| refused("cannot be read"))?;
    if ticks >= NEVER_TICKS {
        return Ok(None);
    }
    let nanos = u32::try_from(ticks % 10_000_000 * 100).unwrap_or(0);
    let span = Duration::new(u64::try_from(ticks / 10_000_000).unwrap_or(u64::MAX), nanos);
    if span < LEAST { Err(refused("is too short")) } else { Ok(Some(span)) }
}

fn ticks(text: &str) -> Option<u128> {
    let number = |text: &str, most: u128| {
        let digits =
            !text.is_empty() && text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u128>().ok().filter(|it| digits && *it <= most)
    };
    let mut parts = text.split(':');
    let (first, minutes, last) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = first.split_once('.').unwrap_or(("0", first));
    let (seconds, fraction) = last.split_once('.').unwrap_or((last, "0"));
    if fraction.len() > 7 {
        return None;
    }
    let days = number(days, 99_999_999)?;
    let hours = number(hours, 23)?;
    let minutes = number(minutes, 59)?;
    let seconds = number(seconds, 59)?;
    let fraction = number(&format!("{fraction:0<7}"), 9_999_999)?;
    Some((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10_000_000 + fraction)
}

/// As answers have it.
pub(super) fn shown(span: Option<Duration>) -> String {
    let Some(span) = span else { return NEVER.to_owned() };
    let seconds = span.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let mut text = format!("{days}.{hours:02}:{minutes:02}:{rest:02}");
    let ticks = span.subsec_nanos() / 100;
    if ticks > 0 {
        text.push_str(&format!(".{ticks:07}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn time_spans_are_read_and_the_longest_is_for_ever() {
        let read = |text| parse(text).unwrap();
        assert_eq!(read(NEVER), None);
        assert_eq!(read("90.00:00:00"), Some(Duration::from_secs(90 * 86_400)));
        assert_eq!(read("1.02:03:04.5"), Some(Duration::from_millis(93_784_500)));
        assert_eq!(read("99999999.00:00:00"), None, "longer than for ever");
    }

    #[test]
    fn what_is_none_or_too_short_is_refused_with_an_example() {
        for text in
            ["", "P1D", "1", "1.24:00:00", "1.00:60:00", "1.0:0", "-1.00:00:00", "1.0:0:0:0"]
        {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains("cannot be read"), "{text}: {}", error.message());
        }
        assert!(parse("23:59:59").unwrap_err().message().contains("too short"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(seconds in 86_400_u64..900_000_000_000, ticks in 0_u32..10_000_000) {
            let span = Some(Duration::new(seconds, ticks * 100));
            prop_assert_eq!(parse(&shown(span)).unwrap(), span);
        }

        #[test]
        fn any_text_is_a_span_or_a_refusal(text in "[0-9:.\\-]{0,30}|.{0,20}") {
            let _ = parse(&text);
        }
    }
}
