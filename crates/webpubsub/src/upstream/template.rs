//! The URL of a handler, with places for the hub and the event.

use std::fmt;

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a value: the unreserved characters of RFC 3986.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest value of a parameter: hub and event names have at most 128 characters, and each may
/// need three when escaped.
const LONGEST_VALUE: usize = 3 * 128;

/// A URL such as `https://host/api/{hub}/{event}?code=…`. What follows the `?` may be a secret of
/// the handler, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    parts: Box<[Part]>,
    shown: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Hub,
    Event,
}

/// Why a text is no URL template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Another scheme, or none.
    #[error("an event handler's URL begins with http:// or https://, as in https://host/{{event}}")]
    Scheme,
    /// A tunnel, which is not there yet.
    #[error("event handlers behind a tunnel are not supported; give an http:// or https:// URL")]
    Tunnel,
    /// `user:password@` before the host.
    #[error("the URL holds a user name or password; use bearer authentication or a query instead")]
    UserInfo,
    /// A parameter in the host or port.
    #[error("the host of the URL holds {{{0}}}; parameters may stand in path and query only")]
    InHost(String),
    /// A parameter that does not exist.
    #[error("{{{0}}} is no parameter; there are {{hub}} and {{event}}")]
    Unknown(String),
    /// A brace without its partner.
    #[error("the URL has a '{0}' without its partner; write %7B or %7D for a brace that is meant")]
    Brace(char),
    /// `#…`, which is never sent.
    #[error("the URL has a fragment; remove everything from '#' on")]
    Fragment,
    /// Everything else.
    #[error(
        "this is no valid URL ({0}); percent-encode what is not a letter, digit or sign of URLs"
    )]
    Url(String),
}

impl UrlTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Says what is wrong and what is possible instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let text = text.trim();
        check_frame(text)?;
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(start);
            let inner = from.strip_prefix('{').ok_or(TemplateError::Brace('}'))?;
            let (name, after) = inner.split_once('}').ok_or(TemplateError::Brace('{'))?;
            parts.push(Part::Text(before.into()));
            parts.push(match name {
                "hub" => Part::Hub,
                "event" => Part::Event,
                other => return Err(TemplateError::Unknown(other.to_owned())),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.into()));
        let shown = text.split('?').next().unwrap_or_default().into();
        let template = Self { parts: parts.into(), shown };
        let longest = "x".repeat(LONGEST_VALUE);
        let filled = template.text(&longest, &longest).parse::<Uri>();
        match filled {
            Ok(_) => Ok(template),
            Err(cause) => Err(TemplateError::Url(cause.to_string())),
        }
    }

    /// The URL for an event of a hub.
    pub fn fill(&self, hub: &str, event: &str) -> Uri {
        let escaped = |value: &str| utf8_percent_encode(value, &ESCAPED).to_string();
        let text = self.text(&escaped(hub), &escaped(event));
        text.parse()
            .expect("a template was tried with the longest values, and escaped ones are safe")
    }

    fn text(&self, hub: &str, event: &str) -> String {
        let mut url = String::new();
        for part in &self.parts {
            url.push_str(match part {
                Part::Text(text) => text,
                Part::Hub => hub,
                Part::Event => event,
            });
        }
        url
    }
}

/// Checks scheme and authority, in which nothing may vary.
fn check_frame(text: &str) -> Result<(), TemplateError> {
    let scheme = text.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let rest = match &scheme {
        Some((scheme, rest)) if scheme == "http" || scheme == "https" => *rest,
        Some((scheme, _)) if scheme == "tunnel" => return Err(TemplateError::Tunnel),
        _ => return Err(TemplateError::Scheme),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(TemplateError::UserInfo);
    }
    if let Some((_, inner)) = authority.split_once('{') {
        let name = inner.split('}').next().unwrap_or_default();
        return Err(TemplateError::InHost(name.to_owned()));
    }
    if rest.contains('#') { Err(TemplateError::Fragment) } else { Ok(()) }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl fmt::Debug for UrlTemplate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "UrlTemplate({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_filled_in_and_escaped() {
        for (template, url) in [
            ("https://h/api/{hub}/{event}", "https://h/api/chat/order"),
            (
                "http://h:8080/{event}?code=a%20b&e={event}",
                "http://h:8080/order?code=a%20b&e=order",
            ),
            ("https://h?hub={hub}", "https://h/?hub=chat"),
            (" https://h/fixed ", "https://h/fixed"),
            ("https://[::1]:1/{hub}{event}", "https://[::1]:1/chatorder"),
        ] {
            let filled = UrlTemplate::parse(template).unwrap().fill("chat", "order");
            assert_eq!(filled.to_string(), url, "{template}");
        }
        let odd = UrlTemplate::parse("http://h/{hub}").unwrap().fill("a`,.[]", "e");
        assert_eq!(odd.to_string(), "http://h/a%60%2C.%5B%5D");
    }

    #[test]
    fn what_cannot_be_a_template_is_explained() {
        for (template, says) in [
            ("", "begins with http:// or https://"),
            ("h/api", "begins with http:// or https://"),
            ("ftp://h/", "begins with http:// or https://"),
            ("tunnel:///api", "tunnel"),
            ("https://{hub}.example/", "host of the URL holds {hub}"),
            ("https://h:{event}", "host of the URL holds {event}"),
            ("https://u:p@h/", "user name or password"),
            ("https://h/{user}", "{user} is no parameter; there are {hub} and {event}"),
            ("https://h/{Hub}", "{Hub} is no parameter"),
            ("https://h/{@Microsoft.KeyVault(SecretUri=x)}", "is no parameter"),
            ("https://h/{hub", "'{' without its partner"),
            ("https://h/hub}", "'}' without its partner"),
            ("https://h/#x", "fragment"),
            ("https://h/a b", "no valid URL"),
            ("https://", "no valid URL"),
        ] {
            let error = UrlTemplate::parse(template).unwrap_err().to_string();
            assert!(error.contains(says), "{template}: {error}");
        }
        let many = format!("https://h/{}", "{hub}".repeat(200));
        assert!(UrlTemplate::parse(&many).is_err(), "the URL could become longer than URLs can be");
    }

    #[test]
    fn a_query_is_never_printed() {
        let template = UrlTemplate::parse("https://h/{event}?code=hidden").unwrap();
        assert_eq!(template.to_string(), "https://h/{event}");
        assert!(!format!("{template:?}").contains("hidden"));
    }

    proptest! {
        #[test]
        fn no_value_escapes_its_place(hub in ".{0,128}", event in ".{0,128}") {
            let hub: String = hub.chars().filter(char::is_ascii).collect();
            let event: String = event.chars().filter(char::is_ascii).collect();
            let url = UrlTemplate::parse("https://h/a/{hub}/b?e={event}").unwrap().fill(&hub, &event);
            prop_assert_eq!(url.host(), Some("h"));
            prop_assert_eq!(url.path().split('/').count(), 4);
            prop_assert_eq!(url.query().unwrap().matches(['=', '&']).count(), 1);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            let _ = UrlTemplate::parse(&text).map(|template| template.fill("hub", "event"));
        }
    }
}
