//! The addresses of a resource, and where a token's audience lies among them.
//!
//! The scheme and case are ignored, `ws` and `wss` stand for `http` and `https`, repeated slashes
//! count as one, and both sides are compared as they came and URL-decoded once. The `Host` header of
//! a request plays no part, so a proxy in between changes nothing and an attacker cannot choose it.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use wire::Endpoint;

/// Every address of one resource: listeners, host names, public endpoints. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Arc<[Endpoint]>);

impl Endpoints {
    /// Takes the addresses; the first is the one shown in messages when none fits better.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self(endpoints.into_iter().collect())
    }

    /// The addresses, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// Whether the audience has one of these addresses, and what follows it.
    pub(crate) fn locate<'a>(&'a self, audience: &'a Audience) -> Vec<Place<'a>> {
        let place = |endpoint: &'a Endpoint| {
            let path = after_base(&audience.path, endpoint.base())?;
            (endpoint.authority() == audience.authority).then_some(Place { endpoint, path })
        };
        let mut places: Vec<_> = self.0.iter().filter_map(place).collect();
        // The longest base first: it is the one meant when several fit.
        places.sort_by_key(|place| std::cmp::Reverse(place.endpoint.base().len()));
        places
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, endpoint) in self.0.iter().enumerate() {
            write!(out, "{}'{endpoint}'", if index == 0 { "" } else { ", " })?;
        }
        if self.0.is_empty() { out.write_str("no address") } else { Ok(()) }
    }
}

/// An audience on one of the resource's addresses.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// What follows the endpoint's base path.
    pub(crate) path: &'a str,
}

/// An `aud` value cut into what is compared.
pub(crate) struct Audience {
    authority: String,
    path: String,
    pub(crate) query: Option<String>,
}

impl Audience {
    /// `None` when the text is no absolute URL of a scheme that we know.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => "http",
            "https" | "wss" => "https",
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (address, query) = split_query(rest);
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let endpoint = Endpoint::parse(&format!("{scheme}://{authority}")).ok()?;
        Some(Self {
            authority: endpoint.authority(),
            path: collapse_slashes(path),
            query: query.map(str::to_owned),
        })
    }
}

/// Path and query of a request target.
pub(crate) fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// Whether two paths are the same under the rules of this module.
pub(crate) fn same_path(one: &str, other: &str) -> bool {
    let forms = |path: &str| {
        forms(path).map(|form| collapse_slashes(&form).trim_end_matches('/').to_lowercase())
    };
    overlap(&forms(one), &forms(other))
}

/// Whether two queries are the same under the rules of this module.
pub(crate) fn same_query(one: &str, other: &str) -> bool {
    overlap(
        &forms(one).map(|form| form.to_lowercase()),
        &forms(other).map(|form| form.to_lowercase()),
    )
}

/// The hub of a client path such as `/client/hubs/chat`, URL-decoded.
pub(crate) fn client_hub(path: &str) -> Option<String> {
    let prefix = "/client/hubs/";
    let head = path.get(..prefix.len())?;
    let hub = path[prefix.len()..].trim_end_matches('/');
    let fits = head.eq_ignore_ascii_case(prefix) && !hub.is_empty() && !hub.contains('/');
    fits.then(|| decoded(hub))
}

/// The text as it came and URL-decoded once.
fn forms(text: &str) -> [String; 2] {
    [text.to_owned(), decoded(text)]
}

/// URL-decoded once; as it came when that is not UTF-8, since replacement characters would make
/// different texts equal.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into)
}

fn overlap(one: &[String; 2], other: &[String; 2]) -> bool {
    one.iter().any(|form| other.contains(form))
}

fn collapse_slashes(path: &str) -> String {
    let mut collapsed = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !collapsed.ends_with('/') {
            collapsed.push(c);
        }
    }
    collapsed
}

/// What follows `base` in `path`, when `base` ends there at a segment's end.
fn after_base<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let head = path.get(..base.len())?;
    let rest = &path[base.len()..];
    let whole_segment = rest.is_empty() || rest.starts_with('/');
    (head.eq_ignore_ascii_case(base) && whole_segment).then_some(rest)
}
