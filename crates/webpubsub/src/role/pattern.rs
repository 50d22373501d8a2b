//! Wildcard group names in roles.
//!
//! `?` is one character but not a dot, `*` any number of characters but dots, `**` any number of any
//! characters; a backslash makes the next sign plain. Source: the wildcard group roles article, its
//! limits from the public emulator.

/// The longest pattern, in characters.
const MAX_LENGTH: usize = 1024;
/// The most asterisks in a pattern.
const MAX_ASTERISKS: usize = 5;

/// A pattern over group names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Box<[Token]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Plain(char),
    OneButDot,
    ManyButDot,
    Many,
}

impl Pattern {
    /// Reads a pattern; `None` when it breaks a limit, is empty or ends in a lone backslash.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut asterisks = 0;
        let mut signs = text.chars().peekable();
        while let Some(sign) = signs.next() {
            tokens.push(match sign {
                '\\' => Token::Plain(signs.next()?),
                '?' => Token::OneButDot,
                '*' if signs.next_if_eq(&'*').is_some() => {
                    asterisks += 2;
                    Token::Many
                }
                '*' => {
                    asterisks += 1;
                    Token::ManyButDot
                }
                plain => Token::Plain(plain),
            });
        }
        let fits = asterisks <= MAX_ASTERISKS && text.chars().count() <= MAX_LENGTH;
        (fits && !tokens.is_empty()).then(|| Self(tokens.into()))
    }

    /// Whether a group's name fits. Walks the name once, keeping the set of tokens that may come
    /// next, so that no name takes more than length times length of the pattern.
    pub(super) fn fits(&self, group: &str) -> bool {
        let tokens = &self.0;
        let mut possible = vec![false; tokens.len() + 1];
        possible[0] = true;
        self.skip_empty(&mut possible);
        for sign in group.chars() {
            let mut next = vec![false; tokens.len() + 1];
            for (index, token) in tokens.iter().enumerate().filter(|(index, _)| possible[*index]) {
                match token {
                    Token::Plain(plain) if *plain == sign => next[index + 1] = true,
                    Token::OneButDot if sign != '.' => next[index + 1] = true,
                    Token::ManyButDot if sign != '.' => next[index] = true,
                    Token::Many => next[index] = true,
                    Token::Plain(_) | Token::OneButDot | Token::ManyButDot => {}
                }
            }
            self.skip_empty(&mut next);
            possible = next;
        }
        possible[tokens.len()]
    }

    /// An asterisk may also stand for nothing.
    fn skip_empty(&self, possible: &mut [bool]) {
        for (index, token) in self.0.iter().enumerate() {
            if possible[index] && matches!(token, Token::ManyButDot | Token::Many) {
                possible[index + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_mean_what_the_article_says() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            ("room.?", &["room.a", "room.é"], &["room.", "room..", "room.ab", "Room.a"]),
            ("room.*", &["room.", "room.abc"], &["room.a.b", "room"]),
            ("room.**", &["room.", "room.a.b"], &["room"]),
            ("*.x.*", &["a.x.b", ".x."], &["a.b.x.c"]),
            (r"a\*b\?\\", &[r"a*b?\"], &["axb?\\"]),
            ("**end", &["end", "a.b.end", "endend"], &["end."]),
        ];
        for (pattern, fitting, others) in cases {
            let parsed = Pattern::parse(pattern).unwrap();
            fitting.iter().for_each(|group| assert!(parsed.fits(group), "{pattern} {group}"));
            others.iter().for_each(|group| assert!(!parsed.fits(group), "{pattern} {group}"));
        }
    }

    #[test]
    fn both_sides_of_the_limits() {
        assert!(Pattern::parse("*a*b*c*d*").is_some() && Pattern::parse("**a**b*").is_some());
        assert!(Pattern::parse("*a*b*c*d*e*").is_none() && Pattern::parse("**a**b**").is_none());
        assert!(Pattern::parse(&"g".repeat(1024)).is_some());
        assert!(Pattern::parse(&"g".repeat(1025)).is_none());
        assert!(Pattern::parse("").is_none() && Pattern::parse("a\\").is_none());
    }
}
