//! The checks that keep the structure: `cargo run -p xtask` lists every problem, `cargo test -p xtask`
//! fails on them.
//!
//! Only what neither the compiler nor clippy can see is checked here. A check is a pure function from
//! the [`Tree`] to problems, and has a test that shows it failing. Nothing is mended, and no other
//! program is called.
//!
//! | module | keeps |
//! |---|---|
//! | [`arrows`] | which crate may know which: the architecture as a table |
//! | [`workspace`] | one place for versions, lints and bans |
//! | [`modules`] | every source file is part of a crate |
//! | [`sources`] | sizes, names, module comments, leftovers |
//! | [`documents`] | links, paths and headings in Markdown |
//! | [`files`] | nothing heavy, nothing of one machine, origins of golden files |

mod arrows;
mod documents;
mod files;
mod manifest;
mod modules;
mod problem;
mod rust;
mod sources;
mod tree;
mod workspace;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use problem::Problem;
use tree::Tree;

const CHECKS: [fn(&Tree) -> Vec<Problem>; 6] = [
    arrows::check,
    workspace::check,
    modules::check,
    sources::check,
    documents::check,
    files::check,
];

fn main() -> io::Result<ExitCode> {
    let problems = problems()?;
    let mut out = io::stdout().lock();
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    if problems.is_empty() {
        writeln!(out, "The structure holds.")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} problem(s).", problems.len())?;
    Ok(ExitCode::FAILURE)
}

/// What is wrong with the repository that this was built from.
fn problems() -> io::Result<Vec<Problem>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tree = Tree::read(&root)?;
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    problems.sort();
    Ok(problems)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_structure_holds() {
        let problems: Vec<String> =
            super::problems().unwrap().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    }
}
