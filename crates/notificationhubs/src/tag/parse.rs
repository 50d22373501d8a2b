//! Text to the tree of a tag expression.
//!
//! `!` binds tighter than `&&`, that tighter than `||`; the published documents do not say, every
//! other language does it so. Recursion goes only into parentheses and is bounded.

use kernel::{Error, Result};

use super::{Node, Tag, is_system_char};
use crate::refusal::{bad_request, shown};

/// The longest text of an expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 16 * 1024;
/// How deep parentheses may stand in one another.
pub const MAX_DEPTH: usize = 32;
/// The most tags when `||` is the only operator.
pub const MAX_TAGS_OR: usize = 20;
/// The most tags otherwise.
pub const MAX_TAGS_MIXED: usize = 6;

const OPERAND: &str = "a tag, ! or an opening parenthesis";
const OPERATOR: &str = "&&, || or the end";

pub(super) fn parse(text: &str) -> Result<Node> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(bad_request(format!(
            "The tag expression has {} bytes; at most {MAX_EXPRESSION_BYTES} are allowed.",
            text.len()
        )));
    }
    let mut parser = Parser { text, at: 0, depth: 0, tags: 0, mixed: false };
    let node = parser.any()?;
    match parser.rest().chars().next() {
        None => Ok(node),
        Some(')') => Err(parser.expected("an opening parenthesis before this closing one")),
        Some(_) => Err(parser.expected(OPERATOR)),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The byte that is read next.
    at: usize,
    depth: usize,
    tags: usize,
    /// Whether something else than `||` joins tags.
    mixed: bool,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Node> {
        let mut nodes = vec![self.all()?];
        while self.take("||") {
            nodes.push(self.all()?);
        }
        Ok(Node::any(nodes))
    }

    fn all(&mut self) -> Result<Node> {
        let mut nodes = vec![self.not()?];
        while self.take("&&") {
            self.mixed = true;
            nodes.push(self.not()?);
        }
        Ok(Node::all(nodes))
    }

    fn not(&mut self) -> Result<Node> {
        let mut negated = false;
        while self.take("!") {
            self.mixed = true;
            negated = !negated;
        }
        let node = self.atom()?;
        Ok(if negated { node.negated() } else { node })
    }

    fn atom(&mut self) -> Result<Node> {
        if self.take("(") {
            if self.depth == MAX_DEPTH {
                return Err(
                    self.problem(&format!("parentheses are nested deeper than {MAX_DEPTH}"))
                );
            }
            self.depth += 1;
            let node = self.any()?;
            self.depth -= 1;
            return if self.take(")") {
                Ok(node)
            } else {
                Err(self.expected("a closing parenthesis, && or ||"))
            };
        }
        let tag = self.tag()?;
        self.tags += 1;
        // The limit of a mixed expression is told as soon as it is certain; `mixed` may come later.
        let limit = if self.mixed { MAX_TAGS_MIXED } else { MAX_TAGS_OR };
        if self.tags > limit || (self.tags > MAX_TAGS_MIXED && self.more_than_or()) {
            return Err(bad_request(format!(
                "The tag expression has too many tags: at most {MAX_TAGS_OR} when || is the only \
                 operator, else at most {MAX_TAGS_MIXED}. Split the send into several."
            )));
        }
        Ok(Node::Tag(tag))
    }

    fn more_than_or(&self) -> bool {
        self.text.contains("&&") || self.text.contains('!')
    }

    fn tag(&mut self) -> Result<Tag> {
        let rest = self.rest();
        // A system tag is the only one with braces.
        let len = if rest.starts_with('$') {
            rest.find('}').map_or(rest.len(), |brace| brace + 1)
        } else {
            rest.find(|c| !is_system_char(c)).unwrap_or(rest.len())
        };
        if len == 0 {
            return Err(self.expected(OPERAND));
        }
        let Ok(tag) = Tag::parse_any(&rest[..len]) else {
            return Err(self.problem(&format!(
                "'{}' is no tag. A tag has 1 to 120 characters: letters, digits and _ @ # . : - ; \
                 beside those there are only $InstallationId:{{id}} and $UserId:{{id}}",
                shown(&rest[..len])
            )));
        };
        self.at += len;
        Ok(tag)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// What is still to be read, after white space.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn expected(&mut self, expected: &str) -> Error {
        let found = match self.rest().chars().next() {
            Some(c) => format!("'{}'", c.escape_debug()),
            None => "its end".to_owned(),
        };
        self.problem(&format!("{found} was found, {expected} was expected"))
    }

    fn problem(&self, problem: &str) -> Error {
        let place = self.text[..self.at].chars().count() + 1;
        bad_request(format!("The tag expression is invalid at character {place}: {problem}."))
    }
}
