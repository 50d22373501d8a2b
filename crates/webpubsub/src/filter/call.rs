//! The functions of filters.

use std::ops::Range;

use super::expression::{Number, Predicate, Scalar, Search, Text};
use super::problem::{Problem, Result};
use super::term::{Kind, Term};

/// Every function, and how to call it.
const FUNCTIONS: [(&str, &str); 10] = [
    ("tolower", "tolower(string)"),
    ("toupper", "toupper(string)"),
    ("trim", "trim(string)"),
    ("substring", "substring(string, int) or substring(string, int, int)"),
    ("concat", "concat(string, string)"),
    ("contains", "contains(string, string)"),
    ("startswith", "startswith(string, string)"),
    ("endswith", "endswith(string, string)"),
    ("indexof", "indexof(string, string)"),
    ("length", "length(string) or length(groups)"),
];

/// How to call a function; the name is in lower case.
pub(super) fn usage(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, usage)| *usage)
}

/// The arguments of a call, taken one by one.
pub(super) struct Arguments<'a> {
    terms: std::vec::IntoIter<Term>,
    span: Range<usize>,
    usage: &'a str,
}

impl<'a> Arguments<'a> {
    /// The arguments of the call at `span`.
    pub(super) fn new(terms: Vec<Term>, span: Range<usize>, usage: &'a str) -> Self {
        Self { terms: terms.into_iter(), span, usage }
    }

    /// The call of the function of this name, which has a [`usage`].
    pub(super) fn apply(mut self, name: &str) -> Result<Scalar> {
        let scalar = match name {
            "tolower" => Scalar::Text(Text::Lower(Box::new(self.text()?))),
            "toupper" => Scalar::Text(Text::Upper(Box::new(self.text()?))),
            "trim" => Scalar::Text(Text::Trim(Box::new(self.text()?))),
            "substring" => {
                let (text, start) = (self.text()?, self.number()?);
                let len = if self.terms.len() > 0 { Some(self.number()?) } else { None };
                Scalar::Text(Text::Substring(Box::new((text, start, len))))
            }
            "concat" => Scalar::Text(Text::Concat(Box::new((self.text()?, self.text()?)))),
            "contains" => self.search(Search::Contains)?,
            "startswith" => self.search(Search::StartsWith)?,
            "endswith" => self.search(Search::EndsWith)?,
            "indexof" => Scalar::Number(Number::IndexOf(Box::new((self.text()?, self.text()?)))),
            // The only one left: `length`.
            _ => Scalar::Number(match self.next()? {
                Term { kind: Kind::Groups, .. } => Number::GroupCount,
                term => Number::Length(Box::new(term.text(&self.span)?)),
            }),
        };
        match self.terms.next() {
            Some(term) => Err(self.problem("Too many arguments.", term.span.start)),
            None => Ok(scalar),
        }
    }

    fn search(&mut self, search: Search) -> Result<Scalar> {
        Ok(Scalar::Bool(Predicate::Search(search, self.text()?, self.text()?)))
    }

    fn text(&mut self) -> Result<Text> {
        self.next()?.text(&self.span)
    }

    fn number(&mut self) -> Result<Number> {
        self.next()?.number(&self.span)
    }

    fn next(&mut self) -> Result<Term> {
        self.terms.next().ok_or_else(|| self.problem("Too few arguments.", self.span.end - 1))
    }

    fn problem(&self, detail: &str, at: usize) -> Problem {
        let cure = format!("Expected {}.", self.usage);
        Problem { within: self.span.clone(), at, detail: detail.into(), cure }
    }
}
