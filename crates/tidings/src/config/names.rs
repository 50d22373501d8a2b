//! Which names are valid, and which name was probably meant.

use std::net::Ipv6Addr;

/// Whether `text` is a resource name: `^[a-z][a-z0-9-]{1,62}$`.
pub(super) fn is_resource_name(text: &str) -> bool {
    (2..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Whether `text` is a host name: dot-separated labels of letters, digits and inner hyphens
/// (RFC 1123, section 2.1).
pub(super) fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

/// The normal form of an endpoint (lower case, no trailing slash), or what is wrong with it.
pub(super) fn endpoint(text: &str) -> Result<String, &'static str> {
    let lower = text.to_ascii_lowercase();
    let Some(authority) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))
    else {
        return Err("it must start with https:// or http://");
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return Err("it must not hold a user name");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("it must end after the host and the port");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if !literal.map_or_else(|| is_host(host), |text| text.parse::<Ipv6Addr>().is_ok()) {
        return Err("its host is not a host name");
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err("its port is not a number from 1 to 65535");
    }
    Ok(lower.strip_suffix('/').unwrap_or(&lower).to_owned())
}

/// The candidate closest to `wanted`, if it is close enough to be a slip of the fingers.
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = wanted.chars().count();
    candidates
        .into_iter()
        .map(|candidate| (distance(wanted, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= (length.max(candidate.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of single-character edits between two texts (Levenshtein), one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_names_follow_their_pattern() {
        for good in ["ab", "chat-2", &"a".repeat(63)] {
            assert!(is_resource_name(good), "{good}");
        }
        for bad in ["", "a", "Chat", "2chat", "-chat", "chat_2", "chat.x", &"a".repeat(64)] {
            assert!(!is_resource_name(bad), "{bad}");
        }
    }

    #[test]
    fn hosts_have_no_scheme_port_path_or_wildcard() {
        for good in ["localhost", "chat.example.com", "10.0.0.1", "A-1.b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a..b", "-a.b", "a-.b", "http://a", "a:80", "a/b", "*.a", "a b", "a."] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_normalised_or_refused_with_a_reason() {
        let normal = endpoint("HTTPS://Chat.Example.com:444/");
        assert_eq!(normal.as_deref(), Ok("https://chat.example.com:444"));
        assert_eq!(endpoint("https://[::1]").as_deref(), Ok("https://[::1]"));
        assert_eq!(endpoint("https://[::1]:8443/").as_deref(), Ok("https://[::1]:8443"));
        for bad in [
            "chat.example.com",
            "https://::1",
            "https://[a]",
            "https://[::1",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://u:p@a",
            "https://a:0",
            "https://a:x",
            "https://a:70000",
            "https://a b",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slip_finds_its_key_and_a_stranger_finds_nothing() {
        let keys = ["http_port", "https_port", "bind"];
        assert_eq!(nearest("http_prot", keys), Some("http_port"));
        assert_eq!(nearest("https_prot", keys), Some("https_port"));
        assert_eq!(nearest("bnd", keys), Some("bind"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
