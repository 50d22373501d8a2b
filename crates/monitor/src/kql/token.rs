//! Text to tokens. A token knows where it starts; comments and white space are gone.
//!
//! `datetime(…)`, `dynamic(…)` and their like hold text of their own rules, so each is one token.

use super::error::{KqlError, Result};
use super::moment;
use super::value::Type;

/// The longest query.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// A token and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A name or a word of the language; `!contains` and `in~` are words too.
    Word(String),
    Long(i64),
    Real(f64),
    /// A span such as `5m`, in ticks.
    Span(i64),
    Text(String),
    /// `datetime(2026-01-01)`: the type and what is between the parentheses.
    Typed(Type, String),
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "..", "==", "!=", "=~", "!~", "<=", ">=", "=>", "=", "<", ">", "+", "-", "*", "/", "%", "|",
    "(", ")", "[", "]", ",", ";", ".", ":",
];

/// All tokens of `text`, ending in [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>> {
    if text.len() > MAX_BYTES {
        let message = format!(
            "The query has {} bytes; at most {MAX_BYTES} are read. Shorten it.",
            text.len()
        );
        return Err(KqlError::syntax(0, message));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let at = lexer.at;
        let kind = lexer.next()?;
        let end = kind == Kind::End;
        tokens.push(Token { at, kind });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let mut skipped = rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                skipped += trimmed.find('\n').unwrap_or(trimmed.len());
            }
            if skipped == 0 {
                return;
            }
            self.at += skipped;
        }
    }

    fn next(&mut self) -> Result<Kind> {
        let Some(first) = self.peek() else { return Ok(Kind::End) };
        match first {
            '0'..='9' => self.number(),
            '"' | '\'' => self.string(false),
            '@' if self.rest().starts_with(['@']) && self.rest()[1..].starts_with(['"', '\'']) => {
                self.at += 1;
                self.string(true)
            }
            'a'..='z' | 'A'..='Z' | '_' | '$' => self.word(),
            '!' if self.rest()[1..].starts_with(|it: char| it.is_ascii_alphabetic()) => {
                self.at += 1;
                let Kind::Word(word) = self.word()? else {
                    return Err(self.strange('!'));
                };
                Ok(Kind::Word(format!("!{word}")))
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| self.rest().starts_with(sign));
                let sign = sign.ok_or_else(|| self.strange(first))?;
                self.at += sign.len();
                Ok(Kind::Sign(sign))
            }
        }
    }

    fn strange(&self, found: char) -> KqlError {
        KqlError::syntax(self.at, format!("The character {found:?} has no meaning here."))
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|it| !keep(it)).unwrap_or(rest.len());
        let taken = rest[..end].to_owned();
        self.at += end;
        taken
    }

    fn word(&mut self) -> Result<Kind> {
        let mut word = self.take_while(|it| it.is_ascii_alphanumeric() || it == '_' || it == '$');
        if matches!(word.as_str(), "in" | "has_any") && self.rest().starts_with('~') {
            self.at += 1;
            word.push('~');
        }
        if self.rest().starts_with('(')
            && let Some(kind) = Type::named(&word)
        {
            return self.typed(kind);
        }
        Ok(Kind::Word(word))
    }

    /// What is between the parentheses that start here.
    fn typed(&mut self, kind: Type) -> Result<Kind> {
        let start = self.at;
        let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
        for (place, found) in self.rest().char_indices() {
            match (quote, found) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(open), found) if found == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(found),
                (None, '(') => depth += 1,
                (None, ')') => {
                    depth -= 1;
                    if depth == 0 {
                        let inner = self.rest()[1..place].trim().to_owned();
                        self.at += place + 1;
                        return Ok(Kind::Typed(kind, inner));
                    }
                }
                (None, _) => {}
            }
        }
        let message = format!("The parenthesis after {} is never closed.", kind.name());
        Err(KqlError::syntax(start, message))
    }

    fn number(&mut self) -> Result<Kind> {
        let start = self.at;
        let mut digits = self.take_while(|it| it.is_ascii_digit());
        let mut real = false;
        // Two points are a range.
        if self.rest().starts_with('.')
            && self.rest()[1..].starts_with(|it: char| it.is_ascii_digit())
        {
            self.at += 1;
            digits = format!("{digits}.{}", self.take_while(|it| it.is_ascii_digit()));
            real = true;
        }
        if self.exponent() {
            let mark = self.at;
            self.at += 1;
            let sign = self.take_while(|it| it == '+' || it == '-');
            let power = self.take_while(|it| it.is_ascii_digit());
            digits = format!("{digits}e{sign}{power}");
            real = self.at > mark;
        }
        let unit = self.take_while(|it| it.is_ascii_alphanumeric() || it == '_');
        let wrong = |what: &str| KqlError::syntax(start, what.to_owned());
        if !unit.is_empty() {
            let of = moment::unit(&unit).ok_or_else(|| {
                let units = "d, h, m, s, ms, microsecond or tick";
                wrong(&format!("{digits}{unit} is no number; a span ends in {units}."))
            })?;
            let span = moment::scaled(&digits, of);
            return span.map(Kind::Span).ok_or_else(|| wrong("The span is too long."));
        }
        if real {
            let number = digits.parse().map_err(|_| wrong("This is no number."))?;
            return Ok(Kind::Real(number));
        }
        digits.parse().map(Kind::Long).map_err(|_| wrong("The number does not fit into 64 bits."))
    }

    /// Whether an exponent starts here.
    fn exponent(&self) -> bool {
        let mut rest = self.rest().chars();
        let marked = matches!(rest.next(), Some('e' | 'E'));
        let digit = match rest.next() {
            Some('+' | '-') => rest.next(),
            other => other,
        };
        marked && digit.is_some_and(|it| it.is_ascii_digit())
    }

    fn string(&mut self, verbatim: bool) -> Result<Kind> {
        let start = self.at;
        let mut characters = self.rest().char_indices();
        let quote = characters.next().map_or('"', |(_, quote)| quote);
        let mut text = String::new();
        let mut characters = characters.peekable();
        while let Some((place, found)) = characters.next() {
            if found == quote {
                // Verbatim text writes its quote twice.
                if verbatim && characters.next_if(|(_, next)| *next == quote).is_some() {
                    text.push(quote);
                    continue;
                }
                self.at += place + 1;
                return Ok(Kind::Text(text));
            }
            match found {
                '\n' => break,
                '\\' if !verbatim => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, same @ ('\\' | '"' | '\''))) => text.push(same),
                    _ => {
                        let message = "After a backslash comes n, r, t, a quote or another \
                                       backslash; @\"…\" takes backslashes as they are.";
                        return Err(KqlError::syntax(start + place, message));
                    }
                },
                found => text.push(found),
            }
        }
        Err(KqlError::syntax(start, format!("This text has no closing {quote}.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn comments_spans_and_typed_literals_are_told_apart() {
        let found = kinds(
            "T // all of it\n// | take 1\n| where a !in~ (1.5h) and b > datetime(2026-01-01 (x))",
        );
        let word = |word: &str| Kind::Word(word.to_owned());
        assert_eq!(
            found,
            [
                word("T"),
                Kind::Sign("|"),
                word("where"),
                word("a"),
                word("!in~"),
                Kind::Sign("("),
                Kind::Span(90 * moment::MINUTE),
                Kind::Sign(")"),
                word("and"),
                word("b"),
                Kind::Sign(">"),
                Kind::Typed(Type::Datetime, "2026-01-01 (x)".to_owned()),
                Kind::End,
            ]
        );
    }

    #[test]
    fn texts_have_escapes_unless_verbatim() {
        assert_eq!(kinds(r#""a\"b\n""#)[0], Kind::Text("a\"b\n".to_owned()));
        assert_eq!(kinds(r#"@"c:\x""y""#)[0], Kind::Text(r#"c:\x"y"#.to_owned()));
        assert_eq!(tokens("where 'abc").unwrap_err().at, 6);
    }

    #[test]
    fn a_range_is_no_decimal_point() {
        assert_eq!(kinds("1..2"), [Kind::Long(1), Kind::Sign(".."), Kind::Long(2), Kind::End]);
        assert_eq!(kinds("1e3")[0], Kind::Real(1000.0));
        assert!(tokens("12parsecs").unwrap_err().message.contains("12parsecs"));
    }
}
