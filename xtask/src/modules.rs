//! The files that each crate is made of, found the way the compiler finds them.
//!
//! A module's file has the module's name: `#[path]` is not followed, and a file behind it shows up
//! as unreferenced.

use std::collections::BTreeMap;

use crate::problem::Problem;
use crate::rust::{Source, is_test_gate, words};
use crate::tree::Tree;

/// Every source file that some target includes, and whether it exists for tests only.
pub(crate) fn included(tree: &Tree) -> BTreeMap<String, bool> {
    let mut included = BTreeMap::new();
    for (path, _) in tree.texts(".rs") {
        if let Some(is_test) = root_of_target(tree, path) {
            include(tree, path.to_owned(), is_test, &mut included);
        }
    }
    included
}

/// Finds source files that nothing includes.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let included = included(tree);
    let orphans = tree.texts(".rs").filter(|(path, _)| !included.contains_key(*path));
    let problem = |(path, _): (&str, &str)| {
        let what = "no module names this file, so it is not compiled";
        Problem::at(path, 1, what, "add its mod line at the top level of its parent, or remove it")
    };
    orphans.map(problem).collect()
}

/// Whether cargo makes a target of the file, and if so whether it is a test.
fn root_of_target(tree: &Tree, path: &str) -> Option<bool> {
    let packages = tree
        .texts("/Cargo.toml")
        .filter_map(|(manifest, _)| path.strip_prefix(manifest.strip_suffix("Cargo.toml")?));
    // The innermost package leaves the shortest rest.
    let inside: Vec<&str> = packages.min_by_key(|rest| rest.len())?.split('/').collect();
    match inside[..] {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] => Some(false),
        ["src", "bin", _, "main.rs"] | ["benches" | "examples" | "fuzz_targets", _] => Some(false),
        ["benches" | "examples", _, "main.rs"] => Some(false),
        ["tests", _] | ["tests", _, "main.rs"] => Some(true),
        _ => None,
    }
}

fn include(tree: &Tree, path: String, is_test: bool, included: &mut BTreeMap<String, bool>) {
    let Some(text) = tree.text(&path) else { return };
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let is_root =
        matches!(name, "lib.rs" | "main.rs" | "mod.rs") || root_of_target(tree, &path).is_some();
    let folder = if is_root { folder } else { path.trim_end_matches(".rs") }.to_owned();
    included.insert(path, is_test);
    for (module, gated) in file_modules(text) {
        for file in [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")] {
            if !included.contains_key(&file) {
                include(tree, file, is_test || gated, included);
            }
        }
    }
}

/// The modules that `text` names at its top level with a file of their own, and whether they are
/// for tests.
fn file_modules(text: &str) -> Vec<(String, bool)> {
    let source = Source::of(text);
    let tests = source.test_items();
    let mut modules = Vec::new();
    for at in words(&source.code, "mod") {
        let rest = source.code[at + 3..].trim_start();
        let name: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let before = &source.code[..at];
        let top_level = before.matches('{').count() == before.matches('}').count();
        if top_level && rest[name.len()..].trim_start().starts_with(';') {
            let gate = tests.iter().find(|item| item.contains(&at));
            modules.push((name, gate.is_some_and(|item| is_test_gate(&source.code[item.start..]))));
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    fn tree() -> Tree {
        Tree::of(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", "mod x;\n#[cfg(test)]\nmod tests;\nmod y { mod z; }\n"),
            ("crates/a/src/x.rs", "pub(crate) mod deep;\n// mod stray;\n"),
            ("crates/a/src/x/deep.rs", ""),
            ("crates/a/src/stray.rs", ""),
            ("crates/a/src/tests/mod.rs", "mod clients;"),
            ("crates/a/src/tests/clients.rs", ""),
            ("crates/a/tests/it/main.rs", "mod world;"),
            ("crates/a/tests/it/world.rs", ""),
            ("fuzz/Cargo.toml", ""),
            ("fuzz/fuzz_targets/frames.rs", ""),
        ])
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        assert_eq!(places(&check(&tree())), ["crates/a/src/stray.rs:1"]);
    }

    #[test]
    fn what_a_test_module_includes_is_test_code() {
        let included = included(&tree());
        let tests: Vec<&str> =
            included.iter().filter(|(_, test)| **test).map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            tests,
            [
                "crates/a/src/tests/clients.rs",
                "crates/a/src/tests/mod.rs",
                "crates/a/tests/it/main.rs",
                "crates/a/tests/it/world.rs",
            ]
        );
    }
}
