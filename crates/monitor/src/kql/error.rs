//! What is wrong with a query, and where.

use std::fmt;

use kernel::{Error, ErrorKind};

/// A result of reading or checking a query.
pub(crate) type Result<T> = std::result::Result<T, KqlError>;

/// Which kind of rule a query breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The text is not of the language.
    Syntax,
    /// The text is, but it names or combines what cannot be.
    Semantic,
    /// Answering would take more than a query may have.
    Limit,
}

/// A refusal of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KqlError {
    /// The kind of rule.
    pub fault: Fault,
    /// Where, in bytes from the start of the query.
    pub at: usize,
    /// What was found, what was expected, how to cure it.
    pub message: String,
}

impl KqlError {
    pub(crate) fn syntax(at: usize, message: impl Into<String>) -> Self {
        Self { fault: Fault::Syntax, at, message: message.into() }
    }

    pub(crate) fn semantic(at: usize, message: impl Into<String>) -> Self {
        Self { fault: Fault::Semantic, at, message: message.into() }
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self { fault: Fault::Limit, at: 0, message: message.into() }
    }

    /// As it is shown to the one who wrote `query`, with line and column.
    pub fn explain(&self, query: &str) -> Error {
        let code = match self.fault {
            Fault::Syntax => "SyntaxError",
            Fault::Semantic => "SemanticError",
            Fault::Limit => "QueryLimitsExceeded",
        };
        let message = match self.fault {
            Fault::Limit => self.message.clone(),
            Fault::Syntax | Fault::Semantic => {
                let (line, column) = place(query, self.at);
                format!("Line {line}, column {column}: {}", self.message)
            }
        };
        Error::new(ErrorKind::Invalid, code, message)
    }
}

impl fmt::Display for KqlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for KqlError {}

/// Line and column, counted from one in characters.
fn place(query: &str, at: usize) -> (usize, usize) {
    let before = query.get(..at).unwrap_or(query);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        assert_eq!(place("a\nüb", 4), (2, 2));
        assert_eq!(place("", 9), (1, 1));
    }
}
