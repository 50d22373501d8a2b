//! Rust files: sizes, names, module comments, and leftovers that neither compiler nor clippy reports.

use crate::modules::included;
use crate::problem::Problem;
use crate::rust::{Source, line_of, words};
use crate::tree::Tree;

/// Lines of a file outside its tests. Far above the usual 120 to 250: a file this long does more
/// than one thing.
const MAX_LINES: usize = 600;

/// Names that say nothing about what lies behind them.
const EMPTY_NAMES: [&str; 7] = ["common", "util", "utils", "helper", "helpers", "misc", "manager"];

/// Marks of unfinished work, in comments.
const NOTES: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Macros that only unfinished work needs. Clippy knows them too, but not below a `cfg` that is off.
const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// A source file as the checks see it.
struct Code<'a> {
    path: &'a str,
    text: &'a str,
    source: Source,
    /// Whether the whole file exists for tests only.
    is_test: bool,
}

/// Checks every Rust file.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let included = included(tree);
    let mut problems = Vec::new();
    for (path, text) in tree.texts(".rs") {
        let is_test = included.get(path).copied().unwrap_or(false);
        let code = Code { path, text, source: Source::of(text), is_test };
        problems.extend(check_name(path));
        problems.extend(check_comment(&code));
        problems.extend(check_length(&code));
        problems.extend(check_leftovers(&code));
        problems.extend(check_ignored_tests(&code));
        problems.extend(check_sleeps(&code));
        problems.extend(check_features(&code));
    }
    problems
}

impl Code<'_> {
    fn problem(&self, at: usize, what: impl Into<String>, cure: &str) -> Problem {
        Problem::at(self.path, line_of(self.text, at), what, cure)
    }
}

fn check_name(path: &str) -> Option<Problem> {
    let words = path.trim_end_matches(".rs").split(['/', '_', '-']);
    let empty = words.into_iter().find(|word| EMPTY_NAMES.contains(word))?;
    let what = format!("the name '{empty}' does not say what is inside");
    Some(Problem::at(path, 1, what, "name it for the concept, or move each part to its user"))
}

fn check_comment(code: &Code<'_>) -> Option<Problem> {
    let cure = "open it with //! lines: what for, what it deliberately does not do, its invariants";
    (!code.text.starts_with("//!")).then(|| code.problem(0, "the module comment is missing", cure))
}

fn check_length(code: &Code<'_>) -> Option<Problem> {
    let tests = code.source.test_items();
    let in_tests = |range: &std::ops::Range<usize>| code.text[range.clone()].lines().count();
    let lines = code.text.lines().count() - tests.iter().map(in_tests).sum::<usize>();
    if code.is_test || lines <= MAX_LINES {
        return None;
    }
    let what = format!("{lines} lines outside tests, at most {MAX_LINES} are allowed");
    Some(Problem::at(code.path, MAX_LINES + 1, what, "split it by concept"))
}

fn check_leftovers(code: &Code<'_>) -> Vec<Problem> {
    let in_comments = NOTES.iter().flat_map(|note| {
        let found = words(&code.source.comments, note);
        found.map(move |at| code.problem(at, format!("a note '{note}'"), "do it, or open an issue"))
    });
    let in_code = MACROS.iter().flat_map(|name| {
        let found = words(&code.source.code, name);
        found.map(move |at| code.problem(at, format!("{name} is left over"), "finish it"))
    });
    in_comments.chain(in_code).collect()
}

fn check_ignored_tests(code: &Code<'_>) -> Vec<Problem> {
    let found = code.source.code.match_indices("#[ignore]");
    let cure = "mend it, remove it, or write #[ignore = \"why\"]";
    found.map(|(at, _)| code.problem(at, "a test is ignored without a reason", cure)).collect()
}

fn check_sleeps(code: &Code<'_>) -> Vec<Problem> {
    let tests = code.source.test_items();
    let found = ["sleep", "sleep_until"].into_iter().flat_map(|it| words(&code.source.code, it));
    let found = found.filter(|at| code.is_test || tests.iter().any(|item| item.contains(at)));
    let cure = "wait for the condition itself, or set the clock";
    found.map(|at| code.problem(at, "a test sleeps", cure)).collect()
}

fn check_features(code: &Code<'_>) -> Vec<Problem> {
    let found = words(&code.source.code, "feature").filter(|at| {
        let line_start = code.source.code[..*at].rfind('\n').map_or(0, |end| end + 1);
        let line = &code.source.code[line_start..];
        line.lines().next().is_some_and(|line| line.contains("cfg")) && !gates_a_module(line)
    });
    let cure = "put what depends on it into a module, and the cfg on its mod line";
    found.map(|at| code.problem(at, "a feature is asked for in the midst of code", cure)).collect()
}

/// Whether the attribute at the start of `code` stands before a module.
fn gates_a_module(code: &str) -> bool {
    let item = code.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#["));
    let item = item.unwrap_or_default();
    let item = item.strip_prefix("pub(crate) ").or(item.strip_prefix("pub ")).unwrap_or(item);
    item.starts_with("mod ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    fn code(text: &str) -> Code<'_> {
        Code { path: "a.rs", text, source: Source::of(text), is_test: false }
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in ["src/util.rs", "src/common/a.rs", "src/socket_manager.rs", "tests/helpers.rs"]
        {
            assert!(check_name(path).is_some(), "{path}");
        }
        for path in ["src/community.rs", "src/management/arm.rs"] {
            assert_eq!(check_name(path), None, "{path}");
        }
    }

    #[test]
    fn a_file_opens_with_its_module_comment() {
        assert_eq!(check_comment(&code("//! What for.\n")), None);
        assert!(check_comment(&code("// What for.\n//! Late.\n")).is_some());
    }

    #[test]
    fn length_counts_without_tests() {
        let long = "fn f() {}\n".repeat(MAX_LINES);
        assert_eq!(check_length(&code(&long)), None);
        let with_tests = format!("{long}#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(check_length(&code(&with_tests)), None);
        let longer = format!("{long}fn g() {{}}\n");
        assert!(check_length(&code(&longer)).is_some());
        assert_eq!(check_length(&Code { is_test: true, ..code(&longer) }), None);
    }

    #[test]
    fn leftovers_are_found_but_not_in_strings() {
        let text = "// TODO later\nfn f() { todo!() }\n\"XXX todo!()\";\n/* FIXME */ dbg!(1);\n";
        let mut places = places(&check_leftovers(&code(text)));
        places.sort();
        assert_eq!(places, ["a.rs:1", "a.rs:2", "a.rs:4", "a.rs:4"]);
    }

    #[test]
    fn an_ignored_test_gives_its_reason() {
        let text = "#[ignore]\nfn a() {}\n#[ignore = \"needs a phone\"]\nfn b() {}\n";
        assert_eq!(places(&check_ignored_tests(&code(text))), ["a.rs:1"]);
    }

    #[test]
    fn tests_do_not_sleep_but_the_program_may() {
        let text =
            "fn f() { thread::sleep(x) }\n#[cfg(test)]\nmod tests {\n use tokio::time::sleep;\n}\n";
        assert_eq!(places(&check_sleeps(&code(text))), ["a.rs:4"]);
        let whole = Code { is_test: true, ..code(text) };
        assert_eq!(places(&check_sleeps(&whole)), ["a.rs:1", "a.rs:4"]);
    }

    #[test]
    fn features_gate_modules_only() {
        let text = "#[cfg(feature = \"nats\")]\n#[doc(hidden)]\npub(crate) mod nats;\n\
                    #[cfg(feature = \"nats\")]\nuse a::b;\nif cfg!(feature = \"nats\") {}\nlet feature = 1;\n";
        assert_eq!(places(&check_features(&code(text))), ["a.rs:4", "a.rs:6"]);
    }
}
