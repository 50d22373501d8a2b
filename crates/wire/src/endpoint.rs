//! The address of a resource: `http(s)://host[:port][/base]`, in one normal form.
//!
//! Parsing normalises, so two endpoints are equal exactly when they name the same place: scheme and
//! host are lower case, the scheme's default port is dropped, the base path has no empty segment and
//! no trailing slash. The base path keeps its case. There is no user info, query or fragment, and no
//! name is resolved here.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// How a resource is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme's name in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme means when it names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An address in normal form; see the module for the rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    base: String,
}

/// Why a text is not an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The text does not begin with a scheme that we speak.
    #[error("an endpoint begins with http:// or https://, as in https://localhost:8443")]
    Scheme,
    /// There is nothing between the scheme and the port or path.
    #[error("the endpoint names no host; expected something like https://localhost:8443")]
    NoHost,
    /// `user:password@` before the host.
    #[error("an endpoint holds no user name or password; remove what stands before the '@'")]
    UserInfo,
    /// A character that a host name cannot hold.
    #[error(
        "the host name holds {0:?}; letters, digits, '-', '.' and '_' are allowed \
         (write an international name in its xn-- form)"
    )]
    HostCharacter(char),
    /// Brackets around something else than an IPv6 address.
    #[error("'{0}' is not an IPv6 address; expected something like [::1]")]
    Ipv6(String),
    /// A port outside 1 to 65535.
    #[error("'{0}' is not a port; expected a number from 1 to 65535")]
    Port(String),
    /// A query or fragment.
    #[error("an endpoint has no query or fragment; remove everything from {0:?} on")]
    QueryOrFragment(char),
    /// A character that the base path cannot hold.
    #[error("the base path holds {0:?}; percent-encode it or leave it out")]
    PathCharacter(char),
    /// `.` or `..` as a path segment.
    #[error("the base path holds the segment '.' or '..'; write the path that is meant")]
    DotSegment,
}

impl Endpoint {
    /// Parses and normalises an absolute URL.
    ///
    /// # Errors
    /// Says which part is wrong and what was expected there.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = split_scheme(text.trim()).ok_or(EndpointError::Scheme)?;
        if let Some(mark) = rest.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(EndpointError::QueryOrFragment(mark));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => parse_port(digits)?,
        };
        Ok(Self { scheme, host: normal_host(host)?, port, base: normal_base(path)? })
    }

    /// The same endpoint on another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also when the text form leaves it out.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The base path: empty, or `/segments` without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `host` or `host:port`, the port only when it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    /// Never ends in a slash, so a path can follow directly.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.scheme.as_str(), self.authority(), self.base)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = text.split_once("://")?;
    let scheme = [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| name.eq_ignore_ascii_case(scheme.as_str()))?;
    Some((scheme, rest))
}

/// Host and port text of `host[:port]`; the colons of a bracketed address are not separators.
fn split_authority(authority: &str) -> Result<(&str, Option<&str>), EndpointError> {
    if authority.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let host_end = if authority.starts_with('[') {
        authority.find(']').map(|bracket| bracket + 1)
    } else {
        authority.find(':')
    };
    let (host, rest) = authority.split_at(host_end.unwrap_or(authority.len()));
    match rest.strip_prefix(':') {
        _ if host.is_empty() => Err(EndpointError::NoHost),
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(EndpointError::Port(rest.to_owned())),
    }
}

fn parse_port(digits: &str) -> Result<u16, EndpointError> {
    match digits.parse::<u16>() {
        // `parse` would also take a sign.
        Ok(port) if port != 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(EndpointError::Port(digits.to_owned())),
    }
}

fn normal_host(host: &str) -> Result<String, EndpointError> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        let address = address.ok_or_else(|| EndpointError::Ipv6(host.to_owned()))?;
        return Ok(format!("[{address}]"));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match host.chars().find(|c| !allowed(c)) {
        Some(other) => Err(EndpointError::HostCharacter(other)),
        None => Ok(host.to_ascii_lowercase()),
    }
}

fn normal_base(path: &str) -> Result<String, EndpointError> {
    // What the URL standard keeps as it is in a path, without ';', which would end the value in a
    // connection string.
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,=:@%".contains(*c);
    if let Some(other) = path.chars().find(|c| !allowed(c)) {
        return Err(EndpointError::PathCharacter(other));
    }
    let mut base = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if matches!(segment, "." | "..") {
            return Err(EndpointError::DotSegment);
        }
        base.push('/');
        base.push_str(segment);
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_place_become_equal() {
        for (text, normal) in [
            ("https://localhost:8443", "https://localhost:8443"),
            ("HTTPS://LocalHost:8443/", "https://localhost:8443"),
            ("https://push.example.com:443", "https://push.example.com"),
            ("http://push.example.com:80/", "http://push.example.com"),
            ("http://push.example.com:443", "http://push.example.com:443"),
            ("https://push.example.com/WPS/", "https://push.example.com/WPS"),
            ("https://push.example.com//a//b", "https://push.example.com/a/b"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            (" http://127.0.0.1:8080 ", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn every_part_has_its_own_error() {
        use EndpointError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("localhost:8443", E::Scheme),
            ("ws://localhost", E::Scheme),
            ("https://", E::NoHost),
            ("https://:8443", E::NoHost),
            ("https:///base", E::NoHost),
            ("https://me:pw@localhost", E::UserInfo),
            ("https://loc alhost", E::HostCharacter(' ')),
            ("https://bücher.example", E::HostCharacter('ü')),
            ("https://[::1", E::Ipv6("[::1".to_owned())),
            ("https://[nine]", E::Ipv6("[nine]".to_owned())),
            ("https://localhost:", E::Port(String::new())),
            ("https://localhost:0", E::Port("0".to_owned())),
            ("https://localhost:+80", E::Port("+80".to_owned())),
            ("https://localhost:65536", E::Port("65536".to_owned())),
            ("https://[::1]8080", E::Port("8080".to_owned())),
            ("https://localhost/?a=b", E::QueryOrFragment('?')),
            ("https://localhost#top", E::QueryOrFragment('#')),
            ("https://localhost/a;b", E::PathCharacter(';')),
            ("https://localhost/a/../b", E::DotSegment),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn parts_are_readable() {
        let endpoint = Endpoint::parse("https://push.example.com/wps").unwrap();
        assert_eq!(endpoint.scheme(), Scheme::Https);
        assert_eq!(endpoint.host(), "push.example.com");
        assert_eq!(endpoint.port(), 443);
        assert_eq!(endpoint.base(), "/wps");
        assert_eq!(endpoint.authority(), "push.example.com");
        assert_eq!(endpoint.with_port(8443).to_string(), "https://push.example.com:8443/wps");
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = Endpoint::parse(&text);
        }

        #[test]
        fn near_misses_never_panic(text in "https?://[\\[\\]a-z0-9:./@%?#-]{0,24}") {
            let _ = Endpoint::parse(&text);
        }

        #[test]
        fn the_text_form_parses_to_the_same_endpoint(
            text in "https?://([a-zA-Z0-9.-]{1,12}|\\[::[0-9a-f]{1,4}\\])(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9%]{0,4}){0,3}"
        ) {
            let endpoint = Endpoint::parse(&text).unwrap();
            prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
        }
    }
}
