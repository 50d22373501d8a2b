//! XML bodies, for the Windows platforms: an expression is the whole of an attribute's value or of the
//! text between two tags.
//!
//! Declarations and comments are left out of what is sent: clients write the wrong encoding into the
//! one, and nobody reads the other.

use kernel::Error;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Expression, Properties, TooLarge, push};
use crate::refusal::bad_request;
use crate::xml::{MAX_DEPTH, push_text, resolve};

/// A compiled body: what is always the same, and what a message decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Xml {
    root: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Fixed(String),
    Value(Expression),
}

impl Xml {
    pub(super) fn compile(body: &str) -> Result<Self, Error> {
        let mut reader = Reader::from_str(body.trim_start_matches('\u{feff}').trim());
        let mut builder = Builder::default();
        loop {
            let event = reader.read_event().map_err(|error| malformed(&error.to_string()))?;
            match event {
                Event::Start(start) => builder.start(&start, false)?,
                Event::Empty(start) => builder.start(&start, true)?,
                Event::End(end) => builder.end(end.name().as_ref())?,
                Event::Text(part) => builder.text.push_str(&part.into_inner()),
                Event::CData(part) => builder.text.push_str(&part.into_inner()),
                Event::GeneralRef(reference) => {
                    let resolved = resolve(&reference);
                    builder.text.push_str(&resolved.ok_or_else(|| malformed("unknown entity"))?);
                }
                Event::DocType(_) => return Err(malformed("a document type is not allowed")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => return builder.finish(),
            }
        }
    }

    /// The name of the root element, without a prefix.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn render(
        &self,
        properties: &Properties<'_>,
        out: &mut String,
    ) -> Result<(), TooLarge> {
        for part in &self.parts {
            match part {
                Part::Fixed(text) => push(out, text)?,
                Part::Value(expression) => {
                    let mut escaped = String::new();
                    push_text(&mut escaped, &expression.evaluate(properties));
                    push(out, &escaped)?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Builder {
    xml: Xml,
    /// What is fixed since the last value.
    fixed: String,
    /// The text since the last tag.
    text: String,
    depth: usize,
}

impl Builder {
    fn start(&mut self, start: &BytesStart<'_>, empty: bool) -> Result<(), Error> {
        self.flush_text()?;
        if self.depth == 0 {
            if !self.xml.root.is_empty() {
                return Err(malformed("expected exactly one root element"));
            }
            self.xml.root = start.local_name().as_ref().to_owned();
        }
        if self.depth == MAX_DEPTH {
            return Err(malformed("elements are nested too deeply"));
        }
        let name = start.name();
        self.fixed.push('<');
        self.fixed.push_str(name.as_ref());
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| malformed(&error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| malformed(&error.to_string()))?;
            let key = attribute.key.as_ref();
            self.fixed.push(' ');
            self.fixed.push_str(key);
            self.fixed.push_str("=\"");
            self.value(&value, &format!("attribute {key}"))?;
            self.fixed.push('"');
        }
        self.fixed.push_str(if empty { "/>" } else { ">" });
        self.depth += usize::from(!empty);
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Error> {
        self.flush_text()?;
        self.depth = self.depth.checked_sub(1).ok_or_else(|| malformed("an end too many"))?;
        crate::xml::push_close(&mut self.fixed, name);
        Ok(())
    }

    fn flush_text(&mut self) -> Result<(), Error> {
        let text = std::mem::take(&mut self.text);
        if self.depth == 0 && !text.trim().is_empty() {
            return Err(malformed("text outside of the root element"));
        }
        self.value(&text, "a text")
    }

    fn value(&mut self, text: &str, place: &str) -> Result<(), Error> {
        let expression = Expression::parse(text).map_err(|problem| problem.within(place))?;
        match expression.literal() {
            Some(literal) => push_text(&mut self.fixed, literal),
            None => {
                self.xml.parts.push(Part::Fixed(std::mem::take(&mut self.fixed)));
                self.xml.parts.push(Part::Value(expression));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Xml, Error> {
        self.flush_text()?;
        if self.depth != 0 || self.xml.root.is_empty() {
            return Err(malformed("expected one closed root element"));
        }
        self.xml.parts.push(Part::Fixed(self.fixed));
        Ok(self.xml)
    }
}

fn malformed(reason: &str) -> Error {
    bad_request(format!("The template's body is not XML: {}.", crate::refusal::shown(reason)))
}
