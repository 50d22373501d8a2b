//! Moments as the service writes and reads them.

use kernel::Timestamp;

/// `2026-01-02T15:04:05Z`
pub(crate) fn seconds(moment: Timestamp) -> String {
    at_second(moment.as_secs())
}

/// `2026-01-02T15:04:05+00:00`, as the times of tokens and of events of a whole thread are written.
pub(crate) fn offset(moment: Timestamp) -> String {
    let mut text = seconds(moment);
    text.pop();
    text.push_str("+00:00");
    text
}

/// Whole milliseconds since 1970, rounded down.
pub(crate) fn to_millis(moment: Timestamp) -> i64 {
    moment.as_micros().div_euclid(1_000)
}

/// From milliseconds since 1970.
pub(crate) fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

/// A moment that a caller has written (RFC 3339); `None` when it is none.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    // A `+` of an offset reads as a space where a client forgot to encode it.
    let parsed: jiff::Timestamp = text.trim().replace(' ', "+").parse().ok()?;
    Some(Timestamp::from_micros(parsed.as_microsecond()))
}

fn at_second(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_the_second() {
        let moment = Timestamp::from_micros(1_767_366_245_999_999);
        assert_eq!(seconds(moment), "2026-01-02T15:04:05Z");
        assert_eq!(offset(moment), "2026-01-02T15:04:05+00:00");
        assert_eq!(from_millis(to_millis(moment)), Timestamp::from_micros(1_767_366_245_999_000));
    }

    #[test]
    fn moments_of_callers_are_read_in_every_rfc_3339_form() {
        let expected = Timestamp::from_secs(1_767_366_245);
        for text in
            ["2026-01-02T15:04:05Z", "2026-01-02T16:04:05+01:00", "2026-01-02T15:04:05.000 00:00"]
        {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-01-02", "2026-01-02T15:04:05"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
