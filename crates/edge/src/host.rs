//! Whether a `Host` header is one that a page of a stranger cannot have.
//!
//! What listens on loopback without credentials is reached by every browser of the same machine. A
//! page that makes its own name resolve to 127.0.0.1 (DNS rebinding) is then of the same origin, but
//! it cannot change the `Host` header, which holds that name.

use std::net::IpAddr;

/// Whether `authority`, a host with or without a port, is an address or a name of this machine:
/// `localhost` and what ends in `.localhost` (RFC 6761 section 6.3).
pub fn is_local_or_address(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    };
    let bare = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name);
    let last = bare.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_somebody_can_own_are_not_local() {
        for local in
            ["localhost", "LOCALHOST:1", "a.localhost:80", "127.0.0.1:80", "[::1]:8080", "[::1]"]
        {
            assert!(is_local_or_address(local), "{local}");
        }
        for stranger in
            ["", "localhost.", "localhost.example", "notlocalhost", "a.b:80", "127.0.0.1.a"]
        {
            assert!(!is_local_or_address(stranger), "{stranger}");
        }
    }
}
