//! Expressions, by how tightly their operators bind.

use super::Parser;
use crate::kql::ast::{Binary, Expr, ExprKind, InKind};
use crate::kql::error::{KqlError, Result};
use crate::kql::moment;
use crate::kql::token::Kind;
use crate::kql::value::{Type, Value};

/// The level of operands that are no binary expression.
const TIGHTEST: u8 = 5;

impl Parser {
    /// Operands joined by operators of `level` and tighter ones.
    pub(super) fn binary(&mut self, level: u8) -> Result<Expr> {
        if level == TIGHTEST {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        loop {
            let at = left.at;
            if level == 2
                && let Some(kind) = self.membership(&left)?
            {
                self.chain()?;
                left = Expr { at, kind };
                continue;
            }
            let Some(operator) = self.operator_of(level) else { return Ok(left) };
            self.chain()?;
            let right = self.binary(level + 1)?;
            let kind = ExprKind::Binary(operator, Box::new(left), Box::new(right));
            left = Expr { at, kind };
        }
    }

    fn operator_of(&mut self, level: u8) -> Option<Binary> {
        let (operator, length) = match self.peek() {
            Kind::Word(word) if word == "matches" => {
                let regex = matches!(self.peek_after(1), Kind::Word(next) if next == "regex");
                (Binary::MatchesRegex, usize::from(regex) * 2)
            }
            // `Column:"text"`, as searches write it.
            Kind::Sign(":") => (Binary::Has, 1),
            Kind::Sign(sign) => (Binary::signed(sign)?, 1),
            Kind::Word(word) => (Binary::signed(word)?, 1),
            _ => return None,
        };
        if operator.level() != level || length == 0 {
            return None;
        }
        self.next += length;
        Some(operator)
    }

    /// `in (…)`, `between (… .. …)` and their like after an operand.
    fn membership(&mut self, left: &Expr) -> Result<Option<ExprKind>> {
        let Kind::Word(word) = self.peek() else { return Ok(None) };
        let word = word.clone();
        if let Some(kind) = InKind::signed(&word) {
            self.advance();
            self.need_sign("(")?;
            let list = self.list(Self::expression)?;
            if self.is_sign("|") {
                return Err(self.unsupported("A query inside in (…) is"));
            }
            self.need_sign(")")?;
            return Ok(Some(ExprKind::In(kind, Box::new(left.clone()), list)));
        }
        if word != "between" && word != "!between" {
            return Ok(None);
        }
        self.advance();
        self.need_sign("(")?;
        let from = self.expression()?;
        self.need_sign("..")?;
        let to = self.expression()?;
        self.need_sign(")")?;
        let not = word.starts_with('!');
        let (of, from, to) = (Box::new(left.clone()), Box::new(from), Box::new(to));
        Ok(Some(ExprKind::Between(not, of, from, to)))
    }

    fn unary(&mut self) -> Result<Expr> {
        let at = self.at();
        if self.take_sign("-") {
            let of = self.deeper(Self::unary)?;
            return Ok(Expr { at, kind: ExprKind::Negate(Box::new(of)) });
        }
        if self.take_sign("+") {
            return self.deeper(Self::unary);
        }
        self.postfix()
    }

    /// A primary and the fields and elements that are taken of it.
    fn postfix(&mut self) -> Result<Expr> {
        let mut of = self.primary()?;
        loop {
            let at = of.at;
            let kind = if self.take_sign(".") {
                let name = self.name("the name of a field")?;
                ExprKind::Field(Box::new(of), name.text)
            } else if self.take_sign("[") {
                let index = self.expression()?;
                self.need_sign("]")?;
                match index.kind {
                    ExprKind::Literal(Type::String, Value::Text(name)) => {
                        ExprKind::Field(Box::new(of), name.as_ref().to_owned())
                    }
                    _ => ExprKind::Index(Box::new(of), Box::new(index)),
                }
            } else {
                return Ok(of);
            };
            self.chain()?;
            of = Expr { at, kind };
        }
    }

    fn primary(&mut self) -> Result<Expr> {
        let at = self.at();
        let literal = |kind, value| Expr { at, kind: ExprKind::Literal(kind, value) };
        let expr = match self.peek().clone() {
            Kind::Long(number) => literal(Type::Long, Value::Long(number)),
            Kind::Real(number) => literal(Type::Real, Value::Real(number)),
            Kind::Span(ticks) => literal(Type::Timespan, Value::Span(ticks)),
            Kind::Text(text) => literal(Type::String, Value::text(text)),
            Kind::Typed(kind, text) => literal(kind, typed(at, kind, &text)?),
            Kind::Word(word) if word == "true" || word == "false" => {
                literal(Type::Bool, Value::Bool(word == "true"))
            }
            Kind::Word(word) if !word.starts_with('!') => return self.name_or_call(at, word),
            Kind::Sign("*") => Expr { at, kind: ExprKind::Star },
            Kind::Sign("(") => {
                self.advance();
                let inner = self.expression()?;
                self.need_sign(")")?;
                return Ok(Expr { at, ..inner });
            }
            Kind::Sign("[") => {
                let name = self.name("a column in brackets, such as ['a name']")?;
                return Ok(Expr { at, kind: ExprKind::Name(name.text) });
            }
            _ => return Err(self.expected("an expression")),
        };
        self.advance();
        Ok(expr)
    }

    fn name_or_call(&mut self, at: usize, word: String) -> Result<Expr> {
        self.advance();
        if !self.take_sign("(") {
            return Ok(Expr { at, kind: ExprKind::Name(word) });
        }
        let arguments = if self.is_sign(")") { Vec::new() } else { self.list(Self::expression)? };
        self.need_sign(")")?;
        Ok(Expr { at, kind: ExprKind::Call(word, arguments) })
    }
}

/// The value of `datetime(…)` and its like.
fn typed(at: usize, kind: Type, text: &str) -> Result<Value> {
    if text == "null" {
        return Ok(kind.nothing());
    }
    let bare = text.trim_matches(['"', '\'']);
    let value = match kind {
        Type::Datetime => moment::parse(bare).map(Value::Moment),
        Type::Timespan => moment::parse_span(bare).map(Value::Span),
        Type::Bool => match bare {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Type::Int => bare.parse::<i32>().ok().map(|it| Value::Long(it.into())),
        Type::Long => bare.parse().ok().map(Value::Long),
        Type::Real => bare.parse().ok().map(Value::Real),
        Type::String => Some(Value::text(bare)),
        Type::Guid => guid(bare).map(Value::text),
        Type::Dynamic => serde_json::from_str(text).ok().map(Value::dynamic),
    };
    value.ok_or_else(|| {
        let name = kind.name();
        let example = match kind {
            Type::Datetime => "datetime(2026-01-31T12:00:00Z)",
            Type::Timespan => "timespan(1.02:03:04)",
            Type::Dynamic => "dynamic({\"a\": [1]})",
            Type::Guid => "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
            _ => "long(5)",
        };
        let message = format!(
            "What stands in {name}(…) is no constant of that type, such as {example}. To convert a \
             value, use to{name}()."
        );
        KqlError::syntax(at, message)
    })
}

/// An id in its usual spelling, in lower case.
pub(crate) fn guid(text: &str) -> Option<String> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let plain = text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
    (plain && groups == [8, 4, 4, 4, 12]).then(|| text.to_ascii_lowercase())
}
