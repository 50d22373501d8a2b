//! A filter's text as tokens, one at a time.

use std::ops::Range;

use super::problem::{Problem, Result, shown};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An operator, an identifier, a function or a literal such as `true`.
    Word(&'a str),
    /// A text in single quotes, without them.
    Text(Box<str>),
    Integer(i64),
    Open,
    Close,
    Comma,
    End,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    /// The byte up to which tokens have been taken.
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token and where it stands; at the end [`Token::End`], for ever.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, Range<usize>)> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            self.at = start;
            return Ok((Token::End, start..start));
        };
        let (token, len) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '\'' => self.quoted(start)?,
            '+' | '-' | '0'..='9' => self.integer(start)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let len = word_len(rest);
                (Token::Word(&rest[..len]), len)
            }
            other => {
                let cure = "Text stands in single quotes, and operators are words, such as eq.";
                return Err(self.invalid(start..start + other.len_utf8(), cure));
            }
        };
        self.at = start + len;
        Ok((token, start..self.at))
    }

    /// A text from its opening quote on; two quotes within are one quote of the text.
    fn quoted(&self, start: usize) -> Result<(Token<'a>, usize)> {
        let mut content = String::new();
        let mut at = start + 1;
        while let Some(len) = self.text[at..].find('\'') {
            content.push_str(&self.text[at..at + len]);
            at += len + 1;
            if !self.text[at..].starts_with('\'') {
                return Ok((Token::Text(content.into()), at - start));
            }
            content.push('\'');
            at += 1;
        }
        let cure = "A text ends with a single quote; write a quote within it twice.";
        Err(self.invalid(start..self.text.len(), cure))
    }

    fn integer(&self, start: usize) -> Result<(Token<'a>, usize)> {
        let rest = &self.text[start..];
        // A fraction or a letter belongs to what is wrong, so that the message shows all of it.
        let len = 1 + rest[1..]
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_')))
            .unwrap_or(rest.len() - 1);
        match rest[..len].parse() {
            Ok(value) => Ok((Token::Integer(value), len)),
            Err(_) => {
                let cure = "A number is whole and has at most 64 bits, such as 5 or -1.";
                Err(self.invalid(start..start + len, cure))
            }
        }
    }

    fn invalid(&self, token: Range<usize>, cure: &str) -> Problem {
        Problem {
            within: 0..self.text.len(),
            at: token.start,
            detail: format!("Invalid token '{}'.", shown(&self.text[token])),
            cure: cure.into(),
        }
    }
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}
