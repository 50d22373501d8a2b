//! Golden files: what a codec must produce, byte for byte, reviewed as text.
//!
//! A file has comment lines (`# …`, the first of which names its origin) and cases. A case is
//! an input line `> …` and the line that it must lead to. With `UPDATE_GOLDEN=1` in the environment
//! the second lines are written anew, so that the difference can be reviewed.

use std::fmt::Write as _;
use std::path::Path;

/// Checks every case of the file at `path` (usually `concat!(env!("CARGO_MANIFEST_DIR"), …)`).
///
/// # Panics
/// When the file cannot be read, holds no case, names no origin, or a case leads to something else.
pub fn check(path: impl AsRef<Path>, actual: impl Fn(&str) -> String) {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).expect("the golden file can be read");
    assert!(text.starts_with("# Origin: "), "{} does not name its origin", path.display());
    let mut renewed = String::new();
    let mut cases = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(renewed, "{line}");
        let Some(input) = line.strip_prefix("> ") else { continue };
        cases += 1;
        // A new case may stand without its second line until the file is renewed.
        lines.next_if(|next| !next.is_empty() && !next.starts_with(['>', '#']));
        let _ = writeln!(renewed, "{}", actual(input));
    }
    assert!(cases > 0, "{} holds no case", path.display());
    if renewed == text {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "how a person asks for renewed golden files")]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    assert!(update, "{} differs; it should be:\n{renewed}", path.display());
    std::fs::write(path, renewed).expect("the golden file can be written");
}
