//! How moments, spans and counts are told.

use std::time::Duration;

use kernel::Timestamp;

/// A moment, to the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(at.as_secs()) {
        Ok(at) => at.to_string(),
        Err(_) => format!("{} s after 1970", at.as_secs()),
    }
}

/// A moment and how long ago it was, or how far ahead.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        return format!("{} (in {})", moment(at), span(at.since(now)));
    }
    format!("{} ({} ago)", moment(at), span(now.since(at)))
}

/// A span in its two largest units at most.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => two((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => two((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    }
}

fn two((more, large): (u64, &str), (less, small): (u64, &str)) -> String {
    if less == 0 { format!("{more} {large}") } else { format!("{more} {large} {less} {small}") }
}

/// A count with its noun, in the right number.
pub(super) fn count(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ if noun.ends_with("sh") => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

/// The first few of several things.
pub(super) fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// As much of a text as fits into a line, on one line.
pub(super) fn line(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn moments_are_told_with_their_distance() {
        let now = Timestamp::from_secs(1_700_000_000);
        assert_eq!(when(now - Duration::from_secs(30), now), "2023-11-14T22:12:50Z (30 s ago)");
        assert_eq!(when(now + Duration::from_secs(30), now), "2023-11-14T22:13:50Z (in 30 s)");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "delivery"), "1 delivery");
        assert_eq!(count(2, "delivery"), "2 deliveries");
        assert_eq!(count(0, "device"), "0 devices");
        assert_eq!(count(3, "push"), "3 pushes");
        assert_eq!(some(["a", "b", "c", "d"]), "a, b, c and 1 more");
        assert_eq!(line("a\nb"), "a b");
    }
}
