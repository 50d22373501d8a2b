//! What a token is for: a host and a path below which it holds.
//!
//! Clients differ in everything but host and path: scheme, port, query, case and slashes say nothing
//! here.

use percent_encoding::percent_decode_str;

/// A decoded audience in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Audience {
    pub host: String,
    /// Segments with a slash before each; empty for the whole namespace.
    pub path: String,
}

impl Audience {
    /// The audience of a token's `sr`.
    pub(super) fn parse(encoded: &str) -> Self {
        let url = percent_decode_str(encoded).decode_utf8_lossy();
        let rest = url.split_once("://").map_or(&*url, |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { host: host_of(authority), path: normal_path(path) }
    }

    /// Whether the path of a request is this one or lies below it.
    pub(super) fn covers(&self, path: &str) -> bool {
        let path = normal_path(path);
        path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A host without its port, in lower case.
pub(super) fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_lowercase()
}

fn normal_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_lowercase();
    let mut normal = String::with_capacity(decoded.len());
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        normal.push('/');
        normal.push_str(segment);
    }
    normal
}
