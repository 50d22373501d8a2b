//! Operators: what stands after a `|`.

use super::Parser;
use crate::kql::ast::{
    ExprKind, JoinKind, Name, Named, Nest, Operator, Pipeline, Render, SortKey, Source,
};
use crate::kql::error::{KqlError, Result};
use crate::kql::token::Kind;

const OPERATORS: &str = "where, project, project-away, project-keep, project-rename, extend, \
                         summarize, sort, order, take, limit, top, top-nested, distinct, count, \
                         join, union, search, render";

impl Parser {
    pub(super) fn operator(&mut self) -> Result<Operator> {
        let at = self.at();
        let word = self.operator_word()?;
        Ok(match word.as_str() {
            "where" | "filter" => Operator::Where(self.expression()?),
            "search" => {
                self.search_options()?;
                Operator::Search(self.expression()?)
            }
            "project" => Operator::Project(self.list(Self::named)?),
            "project-away" => Operator::ProjectAway(self.list(Self::pattern)?),
            "project-keep" => Operator::ProjectKeep(self.list(Self::pattern)?),
            "project-rename" => Operator::ProjectRename(self.list(|parser| {
                let new = parser.name("the new name")?;
                parser.need_sign("=")?;
                Ok((new, parser.name("the name of a column")?))
            })?),
            "extend" => Operator::Extend(self.list(Self::named)?),
            "summarize" => self.summarize()?,
            "sort" | "order" => {
                self.need_word("by")?;
                Operator::Sort(self.list(Self::sort_key)?)
            }
            "take" | "limit" => Operator::Take(self.count()?),
            "top" => {
                let count = self.count()?;
                self.need_word("by")?;
                Operator::Top(count, self.list(Self::sort_key)?)
            }
            "top-nested" => self.top_nested()?,
            "distinct" => {
                let columns = self.list(Self::named)?;
                let all = matches!(&columns[..], [Named { name: None, expr }] if expr.kind == ExprKind::Star);
                Operator::Distinct(if all { Vec::new() } else { columns })
            }
            "count" => Operator::Count,
            "join" => self.join()?,
            "union" => Operator::Union(self.union()?),
            "render" => Operator::Render(self.render()?),
            other => {
                let message = if self.is_sign("(") {
                    format!(
                        "{other}(…) is a function, not an operator; to filter with it, write \
                         where {other}(…)."
                    )
                } else {
                    format!(
                        "The operator {other} is not supported by this server. There are: {OPERATORS}."
                    )
                };
                return Err(KqlError::syntax(at, message));
            }
        })
    }

    /// A word, or several that are joined by hyphens.
    fn operator_word(&mut self) -> Result<String> {
        let Kind::Word(word) = self.peek() else { return Err(self.expected("an operator")) };
        let mut word = word.clone();
        self.advance();
        while let (Kind::Sign("-"), Kind::Word(part)) = (self.peek(), self.peek_after(1)) {
            word = format!("{word}-{part}");
            self.next += 2;
        }
        Ok(word)
    }

    fn summarize(&mut self) -> Result<Operator> {
        // `hint.strategy=shuffle` and its like change nothing here.
        self.skip_hints();
        let aggregates = if self.is_word("by") { Vec::new() } else { self.list(Self::named)? };
        let by = if self.take_word("by") { self.list(Self::named)? } else { Vec::new() };
        Ok(Operator::Summarize(aggregates, by))
    }

    fn skip_hints(&mut self) {
        while self.is_word("hint")
            && matches!(self.peek_after(1), Kind::Sign("."))
            && matches!(self.peek_after(3), Kind::Sign("="))
        {
            self.next += 5;
        }
    }

    fn sort_key(&mut self) -> Result<SortKey> {
        let expr = self.expression()?;
        let ascending = self.take_word("asc");
        if !ascending {
            self.take_word("desc");
        }
        let mut nulls_first = ascending;
        if self.take_word("nulls") {
            nulls_first = self.take_word("first");
            if !nulls_first {
                self.need_word("last")?;
            }
        }
        Ok(SortKey { expr, ascending, nulls_first })
    }

    fn top_nested(&mut self) -> Result<Operator> {
        let mut nests = vec![self.nest()?];
        while self.take_sign(",") {
            let at = self.at();
            if self.operator_word()? != "top-nested" {
                let message = "After the comma comes the next top-nested … of … by ….";
                return Err(KqlError::syntax(at, message));
            }
            nests.push(self.nest()?);
        }
        Ok(Operator::TopNested(nests))
    }

    fn nest(&mut self) -> Result<Nest> {
        let count = if matches!(self.peek(), Kind::Long(_)) { Some(self.count()?) } else { None };
        self.need_word("of")?;
        let of = self.named()?;
        if self.is_word("with") {
            return Err(self.unsupported("with others = … is"));
        }
        self.need_word("by")?;
        let by = self.named()?;
        let ascending = self.take_word("asc");
        if !ascending {
            self.take_word("desc");
        }
        Ok(Nest { count, of, by, ascending })
    }

    fn join(&mut self) -> Result<Operator> {
        let mut kind = JoinKind::InnerUnique;
        loop {
            self.skip_hints();
            if !self.is_word("kind") || !matches!(self.peek_after(1), Kind::Sign("=")) {
                break;
            }
            self.next += 2;
            let found = match self.peek() {
                Kind::Word(word) => JoinKind::named(word),
                _ => None,
            };
            kind = found.ok_or_else(|| {
                self.expected("innerunique, inner, leftouter, leftsemi or leftanti")
            })?;
            self.advance();
        }
        let right = if self.take_sign("(") {
            let right = self.deeper(Self::pipeline)?;
            self.need_sign(")")?;
            right
        } else {
            let name = self.name("a table or a query in parentheses")?;
            Pipeline { source: Source::Table(name), operators: Vec::new() }
        };
        self.need_word("on")?;
        let mut on = self.list(Self::join_key)?;
        while self.take_word("and") {
            on.push(self.join_key()?);
        }
        Ok(Operator::Join(kind, Box::new(right), on))
    }

    /// `Column`, or `$left.a == $right.b` in either order.
    fn join_key(&mut self) -> Result<(Name, Name)> {
        let first = self.name("a column that both sides have")?;
        if !matches!(first.text.as_str(), "$left" | "$right") {
            return Ok((first.clone(), first));
        }
        self.need_sign(".")?;
        let one = self.name("the name of a column")?;
        self.need_sign("==")?;
        let second = self.name("$left or $right")?;
        self.need_sign(".")?;
        let two = self.name("the name of a column")?;
        match (first.text.as_str(), second.text.as_str()) {
            ("$left", "$right") => Ok((one, two)),
            ("$right", "$left") => Ok((two, one)),
            _ => {
                let message =
                    "A condition of a join compares a column of $left with one of $right.";
                Err(KqlError::syntax(second.at, message))
            }
        }
    }

    fn render(&mut self) -> Result<Render> {
        let visualization = self.name("a kind of chart, such as timechart")?.text;
        let mut properties = Vec::new();
        if self.take_word("with") {
            self.need_sign("(")?;
            properties = self.list(|parser| {
                let key = parser.name("a property of the chart")?.text;
                parser.need_sign("=")?;
                let value = match parser.peek() {
                    Kind::Text(text) | Kind::Word(text) => text.clone(),
                    Kind::Long(number) => number.to_string(),
                    Kind::Real(number) => number.to_string(),
                    _ => return Err(parser.expected("a value")),
                };
                parser.advance();
                Ok((key, value))
            })?;
            self.need_sign(")")?;
        }
        Ok(Render { visualization, properties })
    }
}
