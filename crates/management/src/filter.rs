//! The subset of OData that lists take in `$filter`: conditions on the name.
//!
//! `contains(name, 'text')`, `name eq 'text'` and `name ne 'text'`, joined by `and`, `or`, `not` and
//! parentheses. Words and texts compare without regard to case, as names do. Documented for the lists
//! of Event Grid; nothing else about a resource can be asked for there either.

use kernel::{Error, ErrorKind, Result};

const MAX_BYTES: usize = 2048;
/// Deep enough for people, shallow enough for the stack.
const MAX_DEPTH: usize = 20;

/// A condition on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The name is this text, in lower case here.
    Is(String),
    /// The name holds this text, in lower case here.
    Contains(String),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Filter {
    /// Reads a condition.
    ///
    /// # Errors
    /// `Invalid`, saying where it stops being one and what could stand there.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(invalid(&format!("it has more than {MAX_BYTES} bytes")));
        }
        let mut reader = Reader { rest: text, depth: 0 };
        let filter = reader.any()?;
        match reader.rest.trim_start() {
            "" => Ok(filter),
            _ => Err(reader.expected("'and', 'or' or the end")),
        }
    }

    /// Whether a name fulfils it.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.holds(&name.to_ascii_lowercase())
    }

    fn holds(&self, name: &str) -> bool {
        match self {
            Self::Is(text) => name == text,
            Self::Contains(text) => name.contains(text.as_str()),
            Self::Not(inner) => !inner.holds(name),
            Self::All(parts) => parts.iter().all(|part| part.holds(name)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(name)),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid(&format!("it is nested more than {MAX_DEPTH} deep")));
        }
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        self.depth -= 1;
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter> {
        let mut parts = vec![self.condition()?];
        while self.word("and") {
            parts.push(self.condition()?);
        }
        Ok(one_or(parts, Filter::All))
    }

    fn condition(&mut self) -> Result<Filter> {
        let mut negated = false;
        while self.word("not") {
            negated = !negated;
        }
        let plain = self.plain()?;
        Ok(if negated { Filter::Not(Box::new(plain)) } else { plain })
    }

    fn plain(&mut self) -> Result<Filter> {
        if self.sign('(') {
            let inner = self.any()?;
            self.demand(')')?;
            return Ok(inner);
        }
        if self.word("contains") {
            self.demand('(')?;
            self.name()?;
            self.demand(',')?;
            let text = self.text()?;
            self.demand(')')?;
            return Ok(Filter::Contains(text));
        }
        self.name()?;
        if self.word("eq") {
            Ok(Filter::Is(self.text()?))
        } else if self.word("ne") {
            Ok(Filter::Not(Box::new(Filter::Is(self.text()?))))
        } else {
            Err(self.expected("'eq' or 'ne'"))
        }
    }

    /// The one property that can be asked for.
    fn name(&mut self) -> Result<()> {
        if self.word("name") {
            Ok(())
        } else {
            Err(self.expected("name, the only property to filter by,"))
        }
    }

    /// A text in quotes; a quote within it is doubled.
    fn text(&mut self) -> Result<String> {
        if !self.sign('\'') {
            return Err(self.expected("a text in single quotes"));
        }
        let mut text = String::new();
        loop {
            let Some(end) = self.rest.find('\'') else {
                return Err(invalid("a text is not closed by a quote"));
            };
            text.push_str(&self.rest[..end]);
            self.rest = &self.rest[end + 1..];
            match self.rest.strip_prefix('\'') {
                Some(rest) => self.rest = rest,
                None => return Ok(text.to_ascii_lowercase()),
            }
            text.push('\'');
        }
    }

    /// Takes a word, if it stands here as a whole.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some((found, after)) = rest.split_at_checked(word.len()) else { return false };
        let ends = !after.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        let is_it = found.eq_ignore_ascii_case(word) && ends;
        if is_it {
            self.rest = after;
        }
        is_it
    }

    fn sign(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }

    fn demand(&mut self, sign: char) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.expected(&format!("'{sign}'"))) }
    }

    fn expected(&self, what: &str) -> Error {
        let found: String = self.rest.trim_start().chars().take(30).collect();
        match found.as_str() {
            "" => invalid(&format!("{what} is missing at its end")),
            found => invalid(&format!("{what} is expected at '{}'", found.escape_debug())),
        }
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}

fn invalid(what: &str) -> Error {
    let message = format!(
        "The $filter cannot be read: {what}. An example that can: \
         contains(name, 'orders') and not (name eq 'orders-old')."
    );
    Error::new(ErrorKind::Invalid, "InvalidFilter", message).target("$filter")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(filter: &str, name: &str) -> bool {
        Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(name)
    }

    #[test]
    fn conditions_join_with_the_precedence_of_odata() {
        let cases = [
            ("name eq 'orders'", "Orders", true),
            ("name ne 'orders'", "orders", false),
            ("contains(namE, 'ORD') and name ne 'orders-1'", "orders-2", true),
            ("contains(name,'ord') and name ne 'orders-1'", "orders-1", false),
            ("name eq 'a' or name eq 'b' and name eq 'c'", "a", true),
            ("(name eq 'a' or name eq 'b') and name eq 'c'", "a", false),
            ("not contains(name, 'a') and not (name eq 'b')", "c", true),
            ("not not name eq 'a'", "a", true),
            ("NOT(name eq 'a')", "a", false),
            ("name eq 'it''s'", "it's", true),
            ("  name   eq  '' ", "", true),
        ];
        for (filter, name, expected) in cases {
            assert_eq!(matches(filter, name), expected, "{filter} on {name}");
        }
    }

    #[test]
    fn what_is_no_condition_is_told_where_it_ends_being_one() {
        let cases = [
            ("location eq 'westus'", "name, the only property"),
            ("name", "'eq' or 'ne'"),
            ("name eq 5", "a text in single quotes"),
            ("name eq 'a", "not closed"),
            ("name eq 'a' 'b'", "'and', 'or' or the end"),
            ("name eq 'a' and", "missing at its end"),
            ("contains(name 'a')", "','"),
            ("(name eq 'a'", "')'"),
            ("nameeq 'a'", "name, the only property"),
            ("", "missing at its end"),
        ];
        for (filter, told) in cases {
            let error = Filter::parse(filter).unwrap_err();
            assert!(error.message().contains(told), "{filter}: {error}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{}name eq 'a'{}", "(".repeat(30), ")".repeat(30));
        assert!(Filter::parse(&deep).unwrap_err().message().contains("nested"));
        let fits = format!("{}name eq 'a'{}", "(".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1));
        assert!(Filter::parse(&fits).is_ok());
        let long = format!("name eq '{}'", "a".repeat(MAX_BYTES));
        assert!(Filter::parse(&long).unwrap_err().message().contains("bytes"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(name|eq|ne|not|and|or|contains|[(),' é]){0,20}") {
            let _ = Filter::parse(&text);
        }
    }
}
