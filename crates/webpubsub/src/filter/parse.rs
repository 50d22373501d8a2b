//! Tokens to a predicate, by recursive descent. `not` binds tightest, then comparisons and `in`,
//! then `and`, then `or`; comparisons do not chain.

use std::ops::Range;

use super::call::{self, Arguments};
use super::expression::{Number, Order, Predicate, Scalar, Text};
use super::lex::{Lexer, Token};
use super::problem::{Problem, Result, shown};
use super::term::{Kind, Term};
use super::{MAX_CLAUSES, MAX_DEPTH};

pub(super) fn parse(text: &str) -> Result<Predicate> {
    let mut lexer = Lexer::new(text);
    let (token, span) = lexer.next()?;
    let mut parser = Parser { lexer, token, span, end: 0, depth: 0, clauses: 1 };
    let whole = parser.any()?;
    if parser.token != Token::End {
        return Err(parser.unexpected("and, or, or the end"));
    }
    let span = whole.span.clone();
    whole.predicate(&span, COMPARE)
}

const COMPARE: &str = "Expected a condition, such as userId eq 'a'.";
const PARENTHESES: &str = "Put the operand of not in parentheses, as in not (length(userId) gt 5).";
const VALUE: &str = "a value: text in single quotes, a whole number, true, false, null, userId, \
                     connectionId, protocol, groups, or a function";

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token to look at, and where it stands.
    token: Token<'a>,
    span: Range<usize>,
    /// Where the token before it ends.
    end: usize,
    depth: usize,
    clauses: usize,
}

impl Parser<'_> {
    /// Terms joined by `or`.
    fn any(&mut self) -> Result<Term> {
        self.joined("or", Self::all, Predicate::Any)
    }

    /// Terms joined by `and`.
    fn all(&mut self) -> Result<Term> {
        self.joined("and", Self::comparison, Predicate::All)
    }

    fn joined(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Result<Term>,
        join: fn(Vec<Predicate>) -> Predicate,
    ) -> Result<Term> {
        let first = operand(self)?;
        if !self.at_word(word) {
            return Ok(first);
        }
        let start = first.span.start;
        let mut terms = vec![first];
        while self.at_word(word) {
            self.clauses += 1;
            if self.clauses > MAX_CLAUSES {
                return Err(self.beyond(format!("More than {MAX_CLAUSES} clauses.")));
            }
            self.advance()?;
            terms.push(operand(self)?);
        }
        let span = start..self.end;
        let predicates: Result<_> =
            terms.into_iter().map(|term| term.predicate(&span, COMPARE)).collect();
        Ok(Term { kind: Kind::from(join(predicates?)), span })
    }

    fn comparison(&mut self) -> Result<Term> {
        let left = self.unary()?;
        let Token::Word(operator) = self.token else { return Ok(left) };
        let operator = operator.to_ascii_lowercase();
        let order = match &*operator {
            "in" => return self.membership(left),
            "eq" | "ne" => None,
            "gt" => Some(Order::Greater),
            "ge" => Some(Order::GreaterOrEqual),
            "lt" => Some(Order::Less),
            "le" => Some(Order::LessOrEqual),
            _ => return Ok(left),
        };
        self.advance()?;
        let right = self.unary()?;
        let span = left.span.start..self.end;
        let predicate = match order {
            Some(order) => {
                let sides = (left.number(&span)?, order, right.number(&span)?);
                Predicate::Ordered(Box::new(sides))
            }
            None => {
                let equal = Predicate::Equal(Box::new((left.scalar(&span)?, right.scalar(&span)?)));
                if operator == "eq" { equal } else { Predicate::Not(Box::new(equal)) }
            }
        };
        Ok(Term { kind: Kind::from(predicate), span })
    }

    /// What follows the left side of `in`: a collection or a list.
    fn membership(&mut self, left: Term) -> Result<Term> {
        self.advance()?;
        let listed = self.token == Token::Open;
        let mut terms = if listed { self.list()? } else { vec![self.primary()?] };
        let span = left.span.start..self.end;
        let predicate = match &terms[..] {
            [Term { kind: Kind::Groups, .. }] => Predicate::InGroups(left.text(&span)?),
            [_] if !listed => {
                let cure = "Expected groups, or a list in parentheses, such as ('a','b').";
                return Err(terms.remove(0).mistyped(&span, "collection", cure));
            }
            _ => {
                let list: Result<_> = terms.into_iter().map(|term| term.scalar(&span)).collect();
                one_of(left.scalar(&span)?, list?)
            }
        };
        Ok(Term { kind: Kind::from(predicate), span })
    }

    fn unary(&mut self) -> Result<Term> {
        if !self.at_word("not") {
            return self.primary();
        }
        let start = self.span.start;
        let operand = self.nested(|parser| {
            parser.advance()?;
            parser.unary()
        })?;
        let span = start..self.end;
        let negated = Predicate::Not(Box::new(operand.predicate(&span, PARENTHESES)?));
        Ok(Term { kind: Kind::from(negated), span })
    }

    fn primary(&mut self) -> Result<Term> {
        let start = self.span.start;
        let kind = match self.token.clone() {
            Token::Open => self.nested(|parser| {
                parser.advance()?;
                let inner = parser.any()?;
                parser.close()?;
                Ok(inner.kind)
            })?,
            Token::Text(text) => self.literal(Scalar::Text(Text::Literal(text)))?,
            Token::Integer(value) => self.literal(Scalar::Number(Number::Literal(value)))?,
            Token::Word(word) => match &*word.to_ascii_lowercase() {
                "true" => self.literal(Scalar::Bool(Predicate::Literal(true)))?,
                "false" => self.literal(Scalar::Bool(Predicate::Literal(false)))?,
                "null" => self.literal(Scalar::Null)?,
                "userid" => self.literal(Scalar::Text(Text::UserId))?,
                "connectionid" => self.literal(Scalar::Text(Text::ConnectionId))?,
                "protocol" => self.literal(Scalar::Text(Text::Protocol))?,
                "groups" => {
                    self.advance()?;
                    Kind::Groups
                }
                name => self.call(name)?,
            },
            Token::Close | Token::Comma | Token::End => return Err(self.unexpected(VALUE)),
        };
        Ok(Term { kind, span: start..self.end })
    }

    fn literal(&mut self, scalar: Scalar) -> Result<Kind> {
        self.advance()?;
        Ok(Kind::Scalar(scalar))
    }

    /// A function from its name on.
    fn call(&mut self, name: &str) -> Result<Kind> {
        let Some(usage) = call::usage(name) else { return Err(self.unexpected(VALUE)) };
        let start = self.span.start;
        self.advance()?;
        if self.token != Token::Open {
            return Err(self.unexpected(usage));
        }
        let terms = self.list()?;
        Arguments::new(terms, start..self.end, usage).apply(name).map(Kind::Scalar)
    }

    /// One or more terms in parentheses, from the opening one on.
    fn list(&mut self) -> Result<Vec<Term>> {
        self.nested(|parser| {
            parser.advance()?;
            let mut terms = vec![parser.any()?];
            while parser.token == Token::Comma {
                parser.advance()?;
                terms.push(parser.any()?);
            }
            parser.close()?;
            Ok(terms)
        })
    }

    fn close(&mut self) -> Result<()> {
        match self.token {
            Token::Close => self.advance(),
            _ => Err(self.unexpected("an operator, a comma or a closing parenthesis")),
        }
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.beyond(format!("Nested deeper than {MAX_DEPTH}.")));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(it) if it.eq_ignore_ascii_case(word))
    }

    fn advance(&mut self) -> Result<()> {
        self.end = self.span.end;
        (self.token, self.span) = self.lexer.next()?;
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let token = shown(&self.lexer.text()[self.span.clone()]);
        let detail = match self.token {
            Token::End => "Unexpected end.".into(),
            Token::Word(_) => format!("Token '{token}' is not supported."),
            _ => format!("Invalid token '{token}'."),
        };
        self.problem(detail, format!("Expected {expected}."))
    }

    fn beyond(&self, detail: String) -> Problem {
        self.problem(detail, "Split the operation into several with simpler filters.".into())
    }

    fn problem(&self, detail: String, cure: String) -> Problem {
        Problem { within: 0..self.lexer.text().len(), at: self.span.start, detail, cure }
    }
}

fn one_of(item: Scalar, list: Vec<Scalar>) -> Predicate {
    let literal = |it: &Scalar| match it {
        Scalar::Text(Text::Literal(text)) => Some(text.clone()),
        _ => None,
    };
    match (item, list.iter().map(literal).collect::<Option<Vec<_>>>()) {
        (Scalar::Text(text), Some(mut literals)) => {
            literals.sort_unstable();
            literals.dedup();
            Predicate::OneOfTexts(text, literals.into())
        }
        (item, _) => Predicate::OneOf(Box::new(item), list),
    }
}
