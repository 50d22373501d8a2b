//! The expressions of a template: one text, which is literal or begins with `$ . % # {`.
//!
//! ```text
//! text     = "{" operand *( "+" operand ) "}" / operand *( "+" operand ) / literal text
//! operand  = ( "$" / "." / "%" / "#" ) "(" name [ ":{" default "}" ] [ "," number ] ")" / quoted
//! quoted   = "'" … "'" / '"' … '"'          ; a doubled quote stands for one
//! ```
//!
//! White space is free between the parts. `.` needs the number, `%` and `#` allow none, and `#` stands
//! alone. There is no recursion.

use std::fmt::Write as _;

use kernel::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Properties;
use crate::refusal::{bad_request, shown};

/// The longest name of a property, in characters.
pub const MAX_PROPERTY_CHARS: usize = 120;

/// What the URI-encoding of .NET leaves as it is beside letters and digits.
const URI_DATA: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const DOTS: &str = "...";

/// A checked expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Vec<Operand>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Literal(String),
    Property { name: String, default: Option<String>, form: Form },
}

/// What becomes of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `$`
    Plain,
    /// `$` with a number of characters
    Clipped(usize),
    /// `.`
    Dotted(usize),
    /// `%`
    UriEncoded,
    /// `#`
    Number,
}

/// Why a text is no expression; the place that it stands in is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    reason: String,
}

impl Problem {
    /// The refusal, for an expression that stands in `place`.
    pub(super) fn within(&self, place: &str) -> Error {
        bad_request(format!(
            "The template expression '{}' in {} is invalid: {}. A text that shall not be an expression \
             but begins with $ . % # or {{ is written as {{'text'}}.",
            shown(&self.text),
            shown(place),
            self.reason
        ))
    }
}

impl Expression {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong in an expression; a literal text is never wrong.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if !text.starts_with(['$', '.', '%', '#', '{']) {
            return Ok(Self(vec![Operand::Literal(text.to_owned())]));
        }
        let mut parser = Parser { rest: text };
        parser.expression().map(Self).map_err(|reason| Problem { text: text.to_owned(), reason })
    }

    /// The text, when it needs no property.
    pub fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [Operand::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The value for a message.
    pub fn evaluate(&self, properties: &Properties<'_>) -> String {
        self.0.iter().map(|operand| operand.evaluate(properties)).collect()
    }

    /// The value when it is to be a number in JSON: `#` alone, with a numeric value.
    pub(super) fn number(&self, properties: &Properties<'_>) -> Option<String> {
        match &self.0[..] {
            [only @ Operand::Property { form: Form::Number, .. }] => {
                Some(only.evaluate(properties)).filter(|value| is_number(value))
            }
            _ => None,
        }
    }
}

impl Operand {
    fn evaluate(&self, properties: &Properties<'_>) -> String {
        let (name, default, form) = match self {
            Self::Literal(text) => return text.clone(),
            Self::Property { name, default, form } => (name, default, *form),
        };
        let value = properties.get(name).or(default.as_deref()).unwrap_or_default();
        match form {
            Form::Plain | Form::Number => value.to_owned(),
            Form::Clipped(count) => value.chars().take(count).collect(),
            Form::Dotted(count) if value.chars().nth(count).is_none() => value.to_owned(),
            Form::Dotted(count) => {
                let kept = value.chars().take(count.saturating_sub(DOTS.len()));
                kept.chain(DOTS.chars().take(count)).collect()
            }
            Form::UriEncoded => utf8_percent_encode(value, URI_DATA).to_string(),
        }
    }
}

/// A number as JSON writes it, without a sign.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let unsigned = |it: &str| it.strip_prefix(['+', '-']).unwrap_or(it).to_owned();
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|it| digits(&unsigned(it)))
}

struct Parser<'a> {
    rest: &'a str,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    fn expression(&mut self) -> Parsed<Vec<Operand>> {
        let composite = self.take("{");
        let mut operands = vec![self.operand()?];
        while self.take("+") {
            operands.push(self.operand()?);
        }
        if composite && !self.take("}") {
            return Err(self.missing("closing brace"));
        }
        if !self.rest.is_empty() {
            let cure = if composite { "expected the end" } else { "expected + or the end" };
            return Err(format!("{cure}, found '{}'", shown(self.rest.trim())));
        }
        let number = |it: &Operand| matches!(it, Operand::Property { form: Form::Number, .. });
        if (composite || operands.len() > 1) && operands.iter().any(number) {
            return Err("#(…) stands alone, not within a concatenation; use $(…) there".to_owned());
        }
        Ok(operands)
    }

    fn operand(&mut self) -> Parsed<Operand> {
        self.rest = self.rest.trim_start();
        let mut chars = self.rest.chars();
        let first = chars.next();
        match first {
            Some(quote @ ('\'' | '"')) => {
                self.rest = chars.as_str();
                self.quoted(quote)
            }
            Some(kind @ ('$' | '.' | '%' | '#')) => {
                self.rest = chars.as_str();
                if kind == '$' && self.rest.starts_with("body") {
                    return Err("$body is not supported; name a property as $(name)".to_owned());
                }
                self.property(kind)
            }
            Some(other) => Err(format!(
                "'{}' was found; expected $( .( %( #( or a quoted text",
                other.escape_debug()
            )),
            None => Err("it ends where $( .( %( #( or a quoted text was expected".to_owned()),
        }
    }

    fn quoted(&mut self, quote: char) -> Parsed<Operand> {
        let mut text = String::new();
        loop {
            let Some((before, after)) = self.rest.split_once(quote) else {
                return Err(format!("Missing closing quote {quote}"));
            };
            text.push_str(before);
            self.rest = after;
            match after.strip_prefix(quote) {
                Some(after) => self.rest = after,
                None => return Ok(Operand::Literal(text)),
            }
            text.push(quote);
        }
    }

    /// A property from its parenthesis on.
    fn property(&mut self, kind: char) -> Parsed<Operand> {
        if !self.take("(") {
            return Err(format!("Missing opening parentheses after '{kind}'"));
        }
        let name = self.name()?;
        let default = if self.take(":") { Some(self.default()?) } else { None };
        let count = if self.take(",") { Some(self.count()?) } else { None };
        if !self.take(")") {
            return Err(self.missing("closing parentheses"));
        }
        let form = match (kind, count) {
            ('$', None) => Form::Plain,
            ('$', Some(count)) => Form::Clipped(count),
            ('.', Some(count)) => Form::Dotted(count),
            ('.', None) => return Err(format!("'.' needs a length, as in .({name}, 20)")),
            ('%', None) => Form::UriEncoded,
            ('#', None) => Form::Number,
            (kind, _) => return Err(format!("'{kind}' takes no length; use $({name}, n)")),
        };
        Ok(Operand::Property { name, default, form })
    }

    fn name(&mut self) -> Parsed<String> {
        self.rest = self.rest.trim_start();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = self.rest.find(|c| !allowed(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(len);
        if name.is_empty() || name.len() > MAX_PROPERTY_CHARS {
            return Err(format!(
                "a property's name has 1 to {MAX_PROPERTY_CHARS} letters, digits and _"
            ));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    /// A default from its brace on; a brace within it has a backslash before it.
    fn default(&mut self) -> Parsed<String> {
        if !self.take("{") {
            return Err("a default stands in braces, as in $(name:{none})".to_owned());
        }
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '}' if text.ends_with('\\') => {
                    text.pop();
                    text.push(c);
                }
                '}' => {
                    self.rest = chars.as_str();
                    return Ok(text);
                }
                _ => text.push(c),
            }
        }
        Err("Missing closing brace of the default".to_owned())
    }

    fn count(&mut self) -> Parsed<usize> {
        self.rest = self.rest.trim_start();
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(len);
        let count: Option<u32> = digits.parse().ok();
        self.rest = rest;
        let problem = || "a length is a whole number such as 20".to_owned();
        count.and_then(|count| usize::try_from(count).ok()).ok_or_else(problem)
    }

    /// White space, then the token.
    fn take(&mut self, token: &str) -> bool {
        let trimmed = self.rest.trim_start();
        match trimmed.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn missing(&self, what: &str) -> String {
        let mut reason = format!("Missing {what}");
        if !self.rest.is_empty() {
            write!(reason, " before '{}'", shown(self.rest)).expect("a string takes everything");
        }
        reason
    }
}
