//! Standard output: the only place that writes to it, and whether it wants colour.

use std::io::{self, IsTerminal, Write};

/// Whether text for people may carry colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colour.
    Colour,
}

impl Style {
    /// Colour on a terminal, unless `NO_COLOR` is set to anything (<https://no-color.org>) or the
    /// terminal is a dumb one.
    pub fn choose(is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty()) || term == Some("dumb");
        if is_terminal && !refused { Self::Colour } else { Self::Plain }
    }

    /// The style of this process's standard output, given its environment.
    pub fn of_stdout(variables: &[(String, String)]) -> Self {
        Self::of(io::stdout().is_terminal(), variables)
    }

    /// The style of this process's standard error, given its environment.
    pub fn of_stderr(variables: &[(String, String)]) -> Self {
        Self::of(io::stderr().is_terminal(), variables)
    }

    fn of(is_terminal: bool, variables: &[(String, String)]) -> Self {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        Self::choose(is_terminal, find("NO_COLOR"), find("TERM"))
    }
}

/// Writes text to standard output. A reader that went away, as in `tidings config explain | head`,
/// is no failure.
///
/// # Errors
/// When the output is neither accepted nor closed, such as a full disk.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes text to standard error. Failing to complain is not worth a second failure.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_no_refusal() {
        assert_eq!(Style::choose(true, None, Some("xterm")), Style::Colour);
        assert_eq!(Style::choose(true, Some(""), None), Style::Colour);
        assert_eq!(Style::choose(true, Some("1"), None), Style::Plain);
        assert_eq!(Style::choose(true, None, Some("dumb")), Style::Plain);
        assert_eq!(Style::choose(false, None, Some("xterm")), Style::Plain);
    }
}
