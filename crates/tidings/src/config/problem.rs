//! What is wrong with a configuration, and where.
//!
//! A problem never repeats the value of something that may be a secret.

use std::fmt;

/// One thing that is wrong, with its place and its cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the program can start in spite of it.
    pub severity: Severity,
    /// Where it was found.
    pub place: Place,
    /// What is wrong and what was expected.
    pub message: String,
    /// How to cure it.
    pub help: String,
}

/// Whether the program can start in spite of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but the result may surprise.
    Warning,
}

/// Where a value or a problem comes from. Ordered as problems are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A place in the file, both counted from 1, columns in characters.
    File {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// Nobody set it: the default.
    Default,
}

impl Place {
    /// The place of byte `offset` in `text`.
    pub(super) fn in_text(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::File {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl Problem {
    /// Something that keeps the program from starting.
    pub(super) fn error(place: &Place, message: String, help: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.clone(), message, help: help.into() }
    }

    /// Something that may surprise.
    pub(super) fn warning(place: &Place, message: String, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place: place.clone(), message, help: help.into() }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// The problems as text: `tidings.toml:12:1: error: …` and an indented help line each.
pub fn render(problems: &[Problem], file: &str) -> String {
    let mut text = String::new();
    for Problem { severity, place, message, help } in problems {
        let place = match place {
            Place::File { line, column } => format!("{file}:{line}:{column}"),
            Place::Environment(name) => format!("environment variable {name}"),
            Place::Flag(flag) => format!("flag {flag}"),
            Place::Default => file.to_owned(),
        };
        text.push_str(&format!("{place}: {severity}: {message}\n    help: {help}\n"));
    }
    text
}

/// One line that sums the problems up.
pub fn verdict(problems: &[Problem], file: &str) -> String {
    let count = |severity, name: &str| {
        let number = problems.iter().filter(|problem| problem.severity == severity).count();
        format!("{number} {name}{}", if number == 1 { "" } else { "s" })
    };
    let (errors, warnings) = (count(Severity::Error, "error"), count(Severity::Warning, "warning"));
    match (has_errors(problems), problems.is_empty()) {
        (true, _) => format!("{file} has {errors} and {warnings}\n"),
        (false, false) => format!("{file} is usable, with {warnings}\n"),
        (false, true) => format!("{file} is correct\n"),
    }
}

/// Whether any of the problems keeps the program from starting.
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\nü = \"é\" x\n";
        assert_eq!(Place::in_text(text, 0), Place::File { line: 1, column: 1 });
        let x = text.find('x').unwrap();
        assert_eq!(Place::in_text(text, x), Place::File { line: 2, column: 9 });
        assert_eq!(Place::in_text(text, text.len()), Place::File { line: 3, column: 1 });
    }

    #[test]
    fn rendering_names_place_severity_and_cure() {
        let problem = Problem::warning(
            &Place::File { line: 12, column: 1 },
            "odd".to_owned(),
            "make it even",
        );
        let text = render(&[problem], "tidings.toml");
        assert_eq!(text, "tidings.toml:12:1: warning: odd\n    help: make it even\n");
    }
}
