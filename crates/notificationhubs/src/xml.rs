//! XML of strangers into a small tree, and escaping on the way out.
//!
//! Names are local ones: which prefix a client binds to a namespace says nothing, and the service has
//! no two elements of one name. Size and depth are bounded; document types are refused, so there is
//! nothing to expand.

use kernel::Result;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::refusal::{bad_request, shown};

/// The largest document, in bytes: that of a request.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// How deep elements may stand in one another.
pub(crate) const MAX_DEPTH: usize = 32;

/// An element with what is directly in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The local name.
    pub name: String,
    /// Whether `i:nil="true"` says that there is no value.
    pub nil: bool,
    pub children: Vec<Self>,
    /// The text within, CDATA included; white space between children is no text.
    pub text: String,
}

impl Element {
    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.name == name && !it.nil)
    }

    /// The text of the first child of this name; empty is as if absent.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|it| it.text.trim()).filter(|text| !text.is_empty())
    }
}

/// Reads a document.
///
/// # Errors
/// `Invalid` with the place in bytes; also above a limit.
pub(crate) fn parse(text: &str) -> Result<Element> {
    if text.len() > MAX_BYTES {
        return Err(bad_request(format!(
            "The XML has {} bytes; at most {MAX_BYTES} are allowed.",
            text.len()
        )));
    }
    // Some clients begin with a byte order mark.
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim());
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event();
        let place = reader.buffer_position();
        let event = event.map_err(|error| malformed(place, &error.to_string()))?;
        let top = open.last_mut().expect("the document itself stays open");
        match event {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(malformed(place, "elements are nested too deeply"));
                }
                open.push(element(&start));
            }
            Event::Empty(start) => top.children.push(element(&start)),
            Event::End(_) => {
                let done = open.pop().expect("the reader pairs tags");
                let parent = open.last_mut().ok_or_else(|| malformed(place, "an end too many"))?;
                parent.children.push(done);
            }
            Event::Text(part) => top.text.push_str(&part.into_inner()),
            Event::CData(part) => top.text.push_str(&part.into_inner()),
            Event::GeneralRef(reference) => {
                let resolved = resolve(&reference).ok_or_else(|| {
                    malformed(place, "it names an entity that XML does not know by itself")
                })?;
                top.text.push_str(&resolved);
            }
            Event::DocType(_) => return Err(malformed(place, "a document type is not allowed")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let place = reader.buffer_position();
    let document = open.pop().filter(|_| open.is_empty());
    let document = document.ok_or_else(|| malformed(place, "an element is not closed"))?;
    match <[Element; 1]>::try_from(document.children) {
        Ok([root]) if document.text.trim().is_empty() => Ok(root),
        _ => Err(malformed(place, "expected exactly one root element")),
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let nil = start.attributes().with_checks(false).flatten().any(|attribute| {
        attribute.key.local_name().as_ref() == "nil" && &*attribute.value == "true"
    });
    let name = start.local_name();
    Element { name: name.as_ref().to_owned(), nil, ..Element::default() }
}

/// The text that a reference such as `&lt;` or `&#65;` stands for.
pub(crate) fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Some(c.to_string());
    }
    resolve_predefined_entity(reference).map(str::to_owned)
}

fn malformed(place: u64, reason: &str) -> kernel::Error {
    bad_request(format!("The XML is malformed near byte {place}: {}.", shown(reason)))
}

/// Appends `<name>text</name>`.
pub(crate) fn push_element(out: &mut String, name: &str, text: &str) {
    push_open(out, name);
    push_text(out, text);
    push_close(out, name);
}

/// Appends `<name>text</name>`, unless there is no text: clients take an empty element for a value.
pub(crate) fn push_optional(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        push_element(out, name, text);
    }
}

pub(crate) fn push_open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

pub(crate) fn push_close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Appends text, escaped for elements and for attributes in double quotes. What XML cannot carry at
/// all becomes the replacement character.
pub(crate) fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // A reader would turn it into a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c < ' ' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_document_becomes_a_tree_of_local_names() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-16\"?>\n<a:e xmlns:a='x' xmlns:i='y'>\
                    <!-- c --><t>1 &lt; <![CDATA[<2>]]>&#33;</t> <n i:nil=\"true\"/><m/></a:e>";
        let root = parse(text).unwrap();
        assert_eq!(root.name, "e");
        assert_eq!(root.text_of("t"), Some("1 < <2>!"));
        assert!(root.child("n").is_none());
        assert_eq!(root.text_of("m"), None);
    }

    #[test]
    fn what_is_not_one_closed_element_is_refused() {
        for wrong in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<a>&foo;</a>",
            "{}",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.message().contains("XML is malformed"), "{wrong}: {error}");
        }
        let deep = "<a>".repeat(MAX_DEPTH + 1) + &"</a>".repeat(MAX_DEPTH + 1);
        assert!(parse(&deep).unwrap_err().message().contains("too deeply"));
        let large = format!("<a>{}</a>", "x".repeat(MAX_BYTES));
        assert!(parse(&large).unwrap_err().message().contains("bytes"));
    }

    proptest! {
        #[test]
        fn written_text_is_read_back(text in "[^\\p{Cc}]*") {
            let mut out = String::new();
            push_open(&mut out, "a");
            push_element(&mut out, "t", &text);
            push_close(&mut out, "a");
            let root = parse(&out).unwrap();
            prop_assert_eq!(root.text_of("t").unwrap_or_default(), text.trim());
        }

        #[test]
        fn arbitrary_text_never_panics(text in "[<>a/!\\[\\]CDAT&#;x:= '\"?-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
