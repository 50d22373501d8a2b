//! HTML of messages, made harmless: elements and attributes of an allow-list stay, everything else
//! goes. Pure.
//!
//! Azure publishes no list; this one has what rich text editors write. The text is never repaired
//! in the way that browsers do: a tag that is not plainly one of the list is dropped or becomes text,
//! and every `<`, `>` and quote that is written out belongs to a tag of the list. So no reading of the
//! result, however lenient, finds an element or attribute that is not on it.
//!
//! | input | output |
//! |---|---|
//! | tag of the list | the tag, with allowed attributes alone, values quoted and escaped |
//! | any other tag, comment, declaration | nothing |
//! | `script`, `style` and other elements whose text is not text | nothing, with all that is inside |
//! | a `<` that opens no tag, a stray `>` | `&lt;`, `&gt;` |

const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "var",
];

/// Elements that go with everything inside them: it is not text that a reader should see.
const SWALLOWED: &[&str] = &[
    "applet",
    "embed",
    "frame",
    "frameset",
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "script",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "xmp",
    "plaintext",
];

/// Attributes that any element may have.
const ATTRIBUTES: &[&str] = &["dir", "lang", "title"];

/// Attributes of single elements.
const ATTRIBUTES_OF: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("img", &["alt", "height", "id", "src", "width"]),
    ("ol", &["start", "type"]),
    ("td", &["colspan", "rowspan"]),
    ("th", &["colspan", "rowspan", "scope"]),
];

/// The schemes of links and images.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];

/// Makes `html` harmless.
pub fn sanitize(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match rest.strip_prefix('>') {
            Some(after) => {
                out.push_str("&gt;");
                after
            }
            None => markup(rest, &mut out),
        };
    }
    out.push_str(rest);
    out
}

/// Deals with what begins at a `<`; returns what follows it.
fn markup<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = &text[1..];
    if let Some(comment) = inner.strip_prefix("!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    if inner.starts_with(['!', '?']) {
        return inner.find('>').map_or("", |end| &inner[end + 1..]);
    }
    match Tag::parse(inner) {
        // Not a tag, so a character.
        None => {
            out.push_str("&lt;");
            inner
        }
        // A tag that never ends would take what another message part writes after it.
        Some((_, None)) => "",
        Some((tag, Some(after))) => {
            if SWALLOWED.contains(&&*tag.name) {
                return if tag.closing { after } else { swallow(&tag.name, after) };
            }
            tag.write(out);
            after
        }
    }
}

/// What follows the end tag of an element whose inside goes; nothing when it never ends.
fn swallow<'a>(name: &str, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let Some((candidate, after)) = rest.split_at_checked(name.len()) else { return "" };
        let ends =
            after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || ">/".contains(c));
        if candidate.eq_ignore_ascii_case(name) && ends {
            return after.find('>').map_or("", |end| &after[end + 1..]);
        }
    }
    ""
}

struct Tag<'a> {
    name: String,
    closing: bool,
    attributes: Vec<(String, &'a str)>,
}

impl<'a> Tag<'a> {
    /// The tag behind a `<`, and what follows its `>`; the second is `None` when it has none.
    fn parse(text: &'a str) -> Option<(Self, Option<&'a str>)> {
        let (closing, rest) = match text.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let end = rest.find(is_boundary).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        let mut tag = Self { name, closing, attributes: Vec::new() };
        let mut rest = &rest[end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                return Some((tag, Some(after)));
            }
            if rest.is_empty() {
                return Some((tag, None));
            }
            let Some((name, value, after)) = attribute(rest) else { return Some((tag, None)) };
            tag.attributes.push((name, value));
            rest = after;
        }
    }

    fn write(&self, out: &mut String) {
        if !ELEMENTS.contains(&&*self.name) {
            return;
        }
        out.push('<');
        if self.closing {
            out.push('/');
        }
        out.push_str(&self.name);
        let own = ATTRIBUTES_OF.iter().find(|(name, _)| *name == self.name).map(|(_, own)| *own);
        let allowed =
            |name: &str| ATTRIBUTES.contains(&name) || own.is_some_and(|own| own.contains(&name));
        let mut written: Vec<&str> = Vec::new();
        for (name, value) in self.attributes.iter().filter(|_| !self.closing) {
            let harmless = !matches!(&**name, "href" | "src") || is_harmless_address(value);
            // Of a repeated attribute browsers take the first, and so do we.
            if allowed(name) && harmless && !written.contains(&&**name) {
                written.push(name);
                out.push(' ');
                out.push_str(name);
                out.push_str("=\"");
                escape(value, out);
                out.push('"');
            }
        }
        out.push('>');
    }
}

/// One attribute: name, value, and what follows; `None` when its quotes never end.
fn attribute(text: &str) -> Option<(String, &str, &str)> {
    // A name may begin with any character, even `=`.
    let first = text.chars().next().map_or(0, char::len_utf8);
    let end =
        text[first..].find(|c| is_boundary(c) || c == '=').map_or(text.len(), |at| at + first);
    let name = text[..end].to_ascii_lowercase();
    let rest = text[end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
    let Some(rest) = rest.strip_prefix('=') else { return Some((name, "", &text[end..])) };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let end = quoted.find(quote)?;
            return Some((name, &quoted[..end], &quoted[end + 1..]));
        }
    }
    let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(rest.len());
    Some((name, &rest[..end], &rest[end..]))
}

fn is_boundary(c: char) -> bool {
    c.is_ascii_whitespace() || c == '/' || c == '>'
}

/// Whether a link leads to one of the schemes, or has none. A character reference could spell any
/// scheme, so an address with one before its first `:` or `/` is refused; so is one with a character
/// that would have to be written as a reference.
fn is_harmless_address(value: &str) -> bool {
    if value.contains(['<', '>', '"', '`']) {
        return false;
    }
    // Browsers drop control characters and white space inside a scheme.
    let plain: String = value.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let head = plain.split(['/', '?', '#']).next().unwrap_or_default();
    match head.split_once(':') {
        None => !head.contains('&'),
        Some((scheme, _)) => SCHEMES.iter().any(|it| it.eq_ignore_ascii_case(scheme)),
    }
}

/// Writes a value for double quotes. A `&` stays, since it may begin a character reference, and no
/// reference ends an attribute.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '"' => out.push_str("&quot;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push_str("&#96;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
