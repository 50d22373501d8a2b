//! Text to a [`Query`]. Nothing is looked up here; depth and length are bounded.

mod expression;
mod operator;

pub(super) use expression::guid;

use super::ast::{Expr, Let, Meaning, Name, Named, Pipeline, Query, Source, Union};
use super::error::{KqlError, Result};
use super::token::{Kind, Token, tokens};
use super::value::Type;

/// How deep parentheses, calls and pipelines may nest.
const MAX_DEPTH: usize = 48;
/// Operators and path steps that a query may have; a chain of them becomes as deep a tree.
const MAX_CHAINED: usize = 400;

/// Reads a query.
///
/// # Errors
/// A syntax error with its place.
pub fn parse(text: &str) -> Result<Query> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, chained: 0 };
    let query = parser.query()?;
    parser.take_sign(";");
    match parser.peek() {
        Kind::End => Ok(query),
        _ => Err(parser.expected("| and an operator, or the end of the query")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    /// Operators and paths so far; each may make the tree one level deeper.
    chained: usize,
}

impl Parser {
    fn peek(&self) -> &Kind {
        self.peek_after(0)
    }

    fn peek_after(&self, count: usize) -> &Kind {
        self.tokens.get(self.next + count).map_or(&Kind::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Kind::Sign(found) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(found) if found == word)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn need_sign(&mut self, sign: &str) -> Result<()> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.expected(sign)) }
    }

    fn need_word(&mut self, word: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn expected(&self, what: &str) -> KqlError {
        let found = match self.peek() {
            Kind::End => "the query ends".to_owned(),
            Kind::Word(word) => format!("there is {word}"),
            Kind::Sign(sign) => format!("there is {sign}"),
            Kind::Text(_) => "there is a text".to_owned(),
            Kind::Long(_) | Kind::Real(_) => "there is a number".to_owned(),
            Kind::Span(_) => "there is a timespan".to_owned(),
            Kind::Typed(kind, _) => format!("there is {}(…)", kind.name()),
        };
        KqlError::syntax(self.at(), format!("Expected {what}, but {found}."))
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            let message = format!("The query nests deeper than {MAX_DEPTH} levels; flatten it.");
            return Err(KqlError::syntax(self.at(), message));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Counts an operator or a step of a path.
    fn chain(&mut self) -> Result<()> {
        self.chained += 1;
        if self.chained <= MAX_CHAINED {
            return Ok(());
        }
        let message = format!(
            "The query has more than {MAX_CHAINED} operators in its expressions; list values in in \
             (…) instead of joining comparisons."
        );
        Err(KqlError::syntax(self.at(), message))
    }

    fn query(&mut self) -> Result<Query> {
        let mut lets = Vec::new();
        loop {
            if self.take_word("let") {
                lets.push(self.definition()?);
                self.need_sign(";")?;
            } else if self.is_word("set") || self.is_word("declare") {
                return Err(self.unsupported("The statements set and declare are"));
            } else {
                return Ok(Query { lets, body: self.pipeline()? });
            }
        }
    }

    fn unsupported(&self, what: &str) -> KqlError {
        KqlError::syntax(self.at(), format!("{what} not supported by this server."))
    }

    fn definition(&mut self) -> Result<Let> {
        let name = self.name("a name after let")?;
        self.need_sign("=")?;
        let tabular = ["union", "search", "print"].iter().any(|word| self.is_word(word))
            || (self.is_word("datatable") && matches!(self.peek_after(1), Kind::Sign("(")));
        let start = self.next;
        if !tabular {
            let expr = self.expression();
            if let Ok(expr) = &expr
                && !self.is_sign("|")
            {
                if self.is_sign("=>") || matches!(self.peek(), Kind::Sign("{")) {
                    return Err(self.unsupported("Functions defined with let are"));
                }
                return Ok(Let { name, value: Meaning::Scalar(expr.clone()) });
            }
            if let Err(error) = expr
                && !matches!(self.tokens[start].kind, Kind::Sign("("))
            {
                return Err(error);
            }
            // It goes on as a pipeline: read it again as one.
            self.next = start;
        }
        Ok(Let { name, value: Meaning::Table(self.pipeline()?) })
    }

    /// A plain name or one in brackets.
    fn name(&mut self, what: &str) -> Result<Name> {
        let at = self.at();
        let text = match (self.peek(), self.peek_after(1)) {
            (Kind::Word(word), _) if !word.starts_with('!') => word.clone(),
            (Kind::Sign("["), Kind::Text(text)) => {
                let text = text.clone();
                self.next += 2;
                if !self.is_sign("]") {
                    return Err(self.expected("]"));
                }
                text
            }
            _ => return Err(self.expected(what)),
        };
        self.advance();
        Ok(Name { at, text })
    }

    /// A name that may end in `*`, or `*` alone.
    fn pattern(&mut self) -> Result<Name> {
        let at = self.at();
        if self.take_sign("*") {
            return Ok(Name { at, text: "*".to_owned() });
        }
        let mut name = self.name("the name of a column")?;
        if self.take_sign("*") {
            name.text.push('*');
        }
        Ok(name)
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        let source = self.deeper(Self::source)?;
        let mut operators = Vec::new();
        while self.take_sign("|") {
            operators.push(self.operator()?);
        }
        Ok(Pipeline { source, operators })
    }

    fn source(&mut self) -> Result<Source> {
        if self.take_sign("(") {
            let inner = self.pipeline()?;
            self.need_sign(")")?;
            return Ok(Source::Nested(Box::new(inner)));
        }
        if self.take_word("union") {
            return Ok(Source::Union(self.union()?));
        }
        if self.take_word("print") {
            return Ok(Source::Print(self.list(Self::named)?));
        }
        if self.take_word("search") {
            return self.search_source();
        }
        if self.is_word("datatable") && matches!(self.peek_after(1), Kind::Sign("(")) {
            self.advance();
            return self.datatable();
        }
        for word in ["range", "externaldata", "evaluate", "find"] {
            if self.is_word(word) && !matches!(self.peek_after(1), Kind::Sign("|") | Kind::End) {
                return Err(self.unsupported(&format!("{word} is")));
            }
        }
        let name = self.name("the name of a table")?;
        if self.is_sign("(") {
            return Err(self.unsupported("Functions that yield a table are"));
        }
        Ok(Source::Table(name))
    }

    fn search_source(&mut self) -> Result<Source> {
        self.search_options()?;
        let mut tables = Vec::new();
        if self.take_word("in") {
            self.need_sign("(")?;
            tables = self.list(|parser| parser.name("the name of a table"))?;
            self.need_sign(")")?;
        }
        Ok(Source::Search(tables, self.expression()?))
    }

    /// `kind=case_insensitive`, which is how we search anyway.
    fn search_options(&mut self) -> Result<()> {
        if self.is_word("kind") && matches!(self.peek_after(1), Kind::Sign("=")) {
            self.next += 2;
            if !self.take_word("case_insensitive") && !self.take_word("default") {
                return Err(self.expected("case_insensitive, the only kind of search here"));
            }
        }
        Ok(())
    }

    fn datatable(&mut self) -> Result<Source> {
        self.need_sign("(")?;
        let columns = self.list(|parser| {
            let name = parser.name("the name of a column")?;
            parser.need_sign(":")?;
            let kind = match parser.peek() {
                Kind::Word(word) => Type::named(word),
                _ => None,
            };
            let kind = kind.ok_or_else(|| parser.expected("a type"))?;
            parser.advance();
            Ok((name, kind))
        })?;
        self.need_sign(")")?;
        self.need_sign("[")?;
        let mut values = Vec::new();
        while !self.is_sign("]") {
            values.push(self.expression()?);
            if !self.take_sign(",") {
                break;
            }
        }
        self.need_sign("]")?;
        if values.len() % columns.len() != 0 {
            let message = format!(
                "There are {} values for {} columns; each row needs one a column.",
                values.len(),
                columns.len()
            );
            return Err(KqlError::syntax(self.at(), message));
        }
        Ok(Source::Datatable(columns, values))
    }

    fn union(&mut self) -> Result<Union> {
        let mut union = Union { with_source: None, inner: false, members: Vec::new() };
        while matches!(self.peek_after(1), Kind::Sign("=")) {
            if self.take_word("withsource") {
                self.need_sign("=")?;
                union.with_source = Some(self.name("the name of a column")?);
            } else if self.take_word("kind") {
                self.need_sign("=")?;
                union.inner = self.take_word("inner");
                if !union.inner && !self.take_word("outer") {
                    return Err(self.expected("inner or outer"));
                }
            } else if self.take_word("isfuzzy") {
                self.need_sign("=")?;
                // Every table that we know is always there.
                if !self.take_word("true") && !self.take_word("false") {
                    return Err(self.expected("true or false"));
                }
            } else {
                return Err(self.expected("kind, withsource, isfuzzy or a table"));
            }
        }
        union.members = self.list(|parser| {
            if parser.take_sign("(") {
                let inner = parser.deeper(Self::pipeline)?;
                parser.need_sign(")")?;
                return Ok(inner);
            }
            let name = parser.pattern()?;
            Ok(Pipeline { source: Source::Table(name), operators: Vec::new() })
        })?;
        Ok(union)
    }

    /// One or more, separated by commas.
    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.take_sign(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn named(&mut self) -> Result<Named> {
        let named = matches!(
            (self.peek(), self.peek_after(1), self.peek_after(3)),
            (Kind::Word(_), Kind::Sign("="), _) | (Kind::Sign("["), Kind::Text(_), Kind::Sign("="))
        );
        let name = if named {
            let name = self.name("a name")?;
            self.need_sign("=")?;
            Some(name)
        } else {
            None
        };
        Ok(Named { name, expr: self.expression()? })
    }

    fn count(&mut self) -> Result<u64> {
        let Kind::Long(count) = self.peek() else { return Err(self.expected("a number of rows")) };
        let count = u64::try_from(*count).unwrap_or(0);
        self.advance();
        Ok(count)
    }

    fn expression(&mut self) -> Result<Expr> {
        self.deeper(|parser| parser.binary(0))
    }
}
