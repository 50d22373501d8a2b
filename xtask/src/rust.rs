//! Rust source seen as three layers of one text: code, comments, and which of it is tests.
//!
//! Not a parser: enough of a lexer to tell code from comments and literals, so that no check is
//! fooled by a word in a string. Layers keep every byte's position; what a layer does not show is
//! blank there.

use std::ops::Range;

/// A source file in layers.
pub(crate) struct Source {
    /// Code, with the inside of comments and literals blanked.
    pub(crate) code: String,
    /// Comments alone.
    pub(crate) comments: String,
}

impl Source {
    /// Separates the layers of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut code = blank(bytes);
        let mut comments = code.clone();
        let mut at = 0;
        while at < bytes.len() {
            let (end, layer) = token(bytes, at);
            match layer {
                Layer::Code => copy_ascii(bytes, at..end, &mut code),
                Layer::Comment => copy_ascii(bytes, at..end, &mut comments),
                Layer::Literal => {}
            }
            at = end;
        }
        let text = |bytes| String::from_utf8(bytes).expect("only ASCII was copied");
        Self { code: text(code), comments: text(comments) }
    }

    /// The positions of items that exist only in tests: `#[cfg(test)] mod tests { … }` and the like.
    pub(crate) fn test_items(&self) -> Vec<Range<usize>> {
        let mut items: Vec<Range<usize>> = Vec::new();
        for (start, _) in self.code.match_indices("#[cfg(") {
            let inside = items.last().is_some_and(|item| item.contains(&start));
            if !inside && is_test_gate(&self.code[start..]) {
                items.push(start..item_end(&self.code, start));
            }
        }
        items
    }
}

/// Whether an attribute at the start of `code` keeps its item for tests.
pub(crate) fn is_test_gate(code: &str) -> bool {
    code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test,")
}

/// Where `word` stands in `code` as a whole identifier.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| is_word(*byte));
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).and_then(|at| code.as_bytes().get(at));
        !part(before) && !part(code.as_bytes().get(at + word.len()))
    })
}

/// The line of a position, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

#[derive(Clone, Copy)]
enum Layer {
    Code,
    Comment,
    Literal,
}

/// Where the token at `at` ends, and to which layer it belongs.
fn token(bytes: &[u8], at: usize) -> (usize, Layer) {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => (at + line_end(rest), Layer::Comment),
        [b'/', b'*', ..] => (at + block_comment_end(rest), Layer::Comment),
        [b'"', ..] => (at + quoted_end(rest, b'"'), Layer::Literal),
        [b'\'', b'\\', ..] => (at + quoted_end(rest, b'\''), Layer::Literal),
        [b'\'', first, ..] => match rest.get(1 + char_len(*first)) {
            Some(b'\'') => (at + 2 + char_len(*first), Layer::Literal),
            _ => (at + 1, Layer::Code), // a lifetime
        },
        [first, ..] if is_word(*first) => {
            let word = rest.iter().take_while(|byte| is_word(**byte)).count();
            match raw_string_end(&rest[word..]) {
                Some(end) if matches!(&rest[..word], b"r" | b"br" | b"cr") => {
                    (at + word + end, Layer::Literal)
                }
                _ => (at + word, Layer::Code),
            }
        }
        _ => (at + 1, Layer::Code),
    }
}

fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn block_comment_end(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_end(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    bytes.len().min(at + 1)
}

/// The end of `#"…"#` with any number of `#`, or nothing when it is not the rest of a raw string.
fn raw_string_end(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes.iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(hashes) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = [b'"'].into_iter().chain(vec![b'#'; hashes]).collect();
    let inside = &bytes[hashes + 1..];
    let length = inside.windows(closing.len()).position(|window| window == closing);
    Some(hashes + 1 + length.map_or(inside.len(), |length| length + closing.len()))
}

fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(byte, b';' | b'}') {
            return at + 1;
        }
    }
    code.len()
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn char_len(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect()
}

fn copy_ascii(from: &[u8], range: Range<usize>, to: &mut [u8]) {
    for at in range.filter(|at| from[*at].is_ascii()) {
        to[at] = from[at];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let squeezed: Vec<String> =
            Source::of(text).code.split_whitespace().map(str::to_owned).collect();
        squeezed.join(" ")
    }

    #[test]
    fn literals_and_comments_are_no_code() {
        for (text, expected) in [
            ("a(\"todo!()\", b)", "a( , b)"),
            ("a // x\nb /* y /* z */ y */ c", "a b c"),
            (r####"r#"a "quoted" b"# + br"x" + r##"y"# z"##"####, "+ +"),
            ("x('\"', '\\'', 'é', '{') y", "x( , , , ) y"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("\"a \\\" b\" c", "c"),
            ("r#type x", "r#type x"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn comments_are_kept_apart_at_their_place() {
        let source = Source::of("let s = \"// no\"; // yes\n");
        assert_eq!(source.comments.trim(), "// yes");
        assert_eq!(source.comments.find('/'), Some(17));
    }

    #[test]
    fn test_items_end_with_their_braces() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { '}'; }\n}\nfn c() {}\n";
        let items = Source::of(text).test_items();
        assert_eq!(items.len(), 1);
        assert!(text[items[0].clone()].starts_with("#[cfg(test)]"));
        assert!(text[items[0].end..].trim().starts_with("fn c"));
        let file = Source::of("#[cfg(all(test, unix))]\nmod tests;\nmod b;");
        assert_eq!(file.test_items()[0].end, 34);
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<usize> = words("sleep asleep sleepy a.sleep(", "sleep").collect();
        assert_eq!(found, [0, 22]);
    }
}
