//! One finding: where, what is wrong, how to mend it.

use std::fmt;

/// A breach of the structure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    file: String,
    line: usize,
    what: String,
    cure: String,
}

impl Problem {
    /// A finding at a line, counted from 1.
    pub(crate) fn at(
        file: &str,
        line: usize,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}; {}", self.file, self.line, self.what, self.cure)
    }
}

/// The places of findings as `file:line`, for tests.
#[cfg(test)]
pub(crate) fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}:{}", problem.file, problem.line)).collect()
}
