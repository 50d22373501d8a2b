//! Templates: what a device has asked to be sent, with places for the properties of a message.
//!
//! A template is compiled when a device registers it, so that a wrong one is refused there and then,
//! and rendered for each message. Properties are put into the parsed tree, never into text, so no
//! value can change the form of a payload.
//!
//! | module | what |
//! |---|---|
//! | `expression` | `$(name)` and its relatives: grammar and evaluation |
//! | `json`, `xml` | bodies: where expressions may stand, and how values are escaped there |
//! | `properties` | the message of a template send |

mod expression;
mod json;
mod properties;
#[cfg(test)]
mod tests;
mod xml;

use kernel::Error;

use crate::Platform;
use crate::date;
use crate::refusal::{bad_request, shown};

pub use expression::{Expression, MAX_PROPERTY_CHARS};
pub use properties::Properties;

/// The longest name of a template, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// The largest rendered body, in bytes. No push service takes as much; without it, a short template
/// could name one long property a thousand times.
pub const MAX_RENDERED_BYTES: usize = 64 * 1024;

/// A template as a device writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TemplateText {
    /// JSON, or XML for the Windows platforms.
    pub body: String,
    /// The name; installations always have one.
    pub name: Option<String>,
    /// Headers for the push service, in order.
    pub headers: Vec<(String, String)>,
    /// When a notification ends, for Apple: a date, `0` or an expression.
    pub expiry: Option<String>,
    /// Apple's priority: a number or an expression.
    pub priority: Option<String>,
}

/// A template that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    body: Body,
    headers: Vec<(String, Expression)>,
    expiry: Option<Expression>,
    priority: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Json(json::Json),
    Xml(xml::Xml),
}

/// What a template has become for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The payload.
    pub body: String,
    /// Headers for the push service, in order.
    pub headers: Vec<(String, String)>,
    /// When the notification ends, as the template says it.
    pub expiry: Option<String>,
    /// Apple's priority, as the template says it.
    pub priority: Option<String>,
}

/// A rendered body above [`MAX_RENDERED_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template renders to more than 64 KiB with this message")]
pub struct TooLarge;

impl Template {
    /// Checks and compiles a template.
    ///
    /// # Errors
    /// `Invalid` with the part that is wrong and what is right there.
    pub fn compile(platform: Platform, text: &TemplateText) -> Result<Self, Error> {
        let name_chars = text.name.as_deref().map_or(0, |name| name.chars().count());
        if name_chars > MAX_NAME_CHARS {
            return Err(bad_request(format!(
                "The template name has {name_chars} characters; at most {MAX_NAME_CHARS} are allowed."
            )));
        }
        check_headers(platform, &text.headers)?;
        let header = |(name, value): &(String, String)| {
            let value =
                Expression::parse(value).map_err(|it| it.within(&format!("header {name}")))?;
            Ok((name.clone(), value))
        };
        Ok(Self {
            body: compile_body(platform, text)?,
            headers: text.headers.iter().map(header).collect::<Result<_, Error>>()?,
            expiry: text.expiry.as_deref().map(compile_expiry).transpose()?,
            priority: text.priority.as_deref().map(compile_priority).transpose()?,
        })
    }

    /// Puts the properties of a message in.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn render(&self, properties: &Properties<'_>) -> Result<Rendered, TooLarge> {
        let mut body = String::new();
        match &self.body {
            Body::Json(json) => json.render(properties, &mut body)?,
            Body::Xml(xml) => xml.render(properties, &mut body)?,
        }
        let evaluated = |it: &Option<Expression>| it.as_ref().map(|it| it.evaluate(properties));
        let headers = self.headers.iter();
        Ok(Rendered {
            body,
            headers: headers.map(|(name, it)| (name.clone(), it.evaluate(properties))).collect(),
            expiry: evaluated(&self.expiry).filter(|it| !it.is_empty()),
            priority: evaluated(&self.priority).filter(|it| !it.is_empty()),
        })
    }
}

fn compile_body(platform: Platform, text: &TemplateText) -> Result<Body, Error> {
    let body = text.body.trim();
    if body.is_empty() {
        return Err(bad_request(
            "The template has no body; give it the payload that is to be sent.",
        ));
    }
    let windows = platform == Platform::Windows;
    if !windows && platform != Platform::Mpns {
        return json::Json::compile(body).map(Body::Json);
    }
    let raw = windows && kind_of_wns(&text.headers).is_some_and(|it| it.ends_with("/raw"));
    if raw && !body.starts_with('<') {
        return json::Json::compile(body).map(Body::Json);
    }
    let xml = xml::Xml::compile(body)?;
    if windows && !raw && !matches!(xml.root(), "toast" | "tile" | "badge") {
        return Err(bad_request(format!(
            "The template's root element is '{}'; expected toast, tile or badge, as X-WNS-Type says.",
            shown(xml.root())
        )));
    }
    Ok(Body::Xml(xml))
}

fn kind_of_wns(headers: &[(String, String)]) -> Option<&str> {
    let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-WNS-Type"));
    kind.map(|(_, value)| value.as_str())
}

fn check_headers(platform: Platform, headers: &[(String, String)]) -> Result<(), Error> {
    for (name, value) in headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
            return Err(bad_request(format!(
                "The template's header '{}' is invalid: a name holds letters, digits and hyphens, a \
                 value no control characters.",
                shown(name)
            )));
        }
        let apns = name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("apns-"));
        if platform == Platform::Apple && !apns {
            return Err(bad_request(format!(
                "The template's header '{}' is not one of Apple's, whose names begin with apns-.",
                shown(name)
            )));
        }
    }
    if platform == Platform::Windows && kind_of_wns(headers).is_none() {
        return Err(bad_request(
            "A Windows template needs the header X-WNS-Type: wns/toast, wns/tile, wns/badge or \
             wns/raw.",
        ));
    }
    Ok(())
}

fn compile_expiry(text: &str) -> Result<Expression, Error> {
    let expression = Expression::parse(text).map_err(|it| it.within("Expiry"))?;
    match expression.literal() {
        Some(literal) if literal != "0" && date::parse(literal).is_none() => {
            Err(bad_request(format!(
                "The template's expiry '{}' is no date; expected one such as 2030-01-31T12:00:00Z, 0, \
                 or an expression such as $(expiry).",
                shown(text)
            )))
        }
        _ => Ok(expression),
    }
}

fn compile_priority(text: &str) -> Result<Expression, Error> {
    let expression = Expression::parse(text).map_err(|it| it.within("Priority"))?;
    match expression.literal() {
        Some(literal) if literal.parse::<u8>().is_err() => Err(bad_request(format!(
            "The template's priority '{}' is no number from 0 to 255, nor an expression such as \
             $(priority).",
            shown(text)
        ))),
        _ => Ok(expression),
    }
}

/// Appends, unless the whole becomes too large.
fn push(out: &mut String, text: &str) -> Result<(), TooLarge> {
    if out.len() + text.len() > MAX_RENDERED_BYTES {
        return Err(TooLarge);
    }
    out.push_str(text);
    Ok(())
}
