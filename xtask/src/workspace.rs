//! What the workspace decides once: versions, lints and bans.
//!
//! A crate inherits them and adds nothing, so that one file tells what the program is built from.

use toml::{Table, Value};

use crate::manifest::{Manifest, Use, line_of_key, members};
use crate::problem::Problem;
use crate::tree::Tree;

/// What each crate takes over from the workspace.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

/// What nobody calls, beside what `clippy.toml` may add.
const BANNED: [&str; 4] = [
    "std::time::SystemTime::now",
    "tokio::sync::mpsc::unbounded_channel",
    "axum::body::to_bytes",
    "std::env::var",
];

/// The sizes that clippy refuses above.
const THRESHOLDS: [(&str, i64); 2] =
    [("too-many-lines-threshold", 70), ("too-many-arguments-threshold", 6)];

/// Finds crates that decide on their own, and decisions that got lost.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let members = members(tree);
    let mut problems: Vec<Problem> = members.iter().flat_map(check_package).collect();
    problems.extend(members.iter().flat_map(check_dependencies));
    problems.extend(check_unused(tree, &members));
    problems.extend(check_unsafe(tree));
    problems.extend(check_clippy(tree));
    problems
}

fn check_package(manifest: &Manifest<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !manifest.values.get("lints").is_some_and(inherits) {
        let what = "the lints of the workspace are not inherited";
        problems.push(manifest.problem(
            "lints",
            "workspace",
            what,
            "write [lints] workspace = true",
        ));
    }
    let package = manifest.values.get("package").and_then(Value::as_table);
    for key in INHERITED {
        if !package.and_then(|package| package.get(key)).is_some_and(inherits) {
            let what = format!("'{key}' is not inherited");
            let cure = format!("write {key}.workspace = true");
            problems.push(manifest.problem("package", key, what, cure));
        }
    }
    problems
}

fn check_dependencies(manifest: &Manifest<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (uses, name, value) in manifest.dependencies() {
        let mut refuse = |what: &str, cure: &str| {
            let what = format!("'{name}' {what}");
            problems.push(manifest.problem(uses.table(), name, what, cure));
        };
        if !inherits(value) {
            refuse(
                "has a version or path of its own",
                "declare it in the root Cargo.toml and write workspace = true here",
            );
        }
        let keys = value.as_table().into_iter().flat_map(Table::keys);
        // Features that only tests need would otherwise be part of the program; what is optional is
        // not, until a feature of the crate asks for it.
        let may_add = |key: &str| {
            matches!(key, "workspace" | "optional") || uses == Use::Tests && key == "features"
        };
        if keys.into_iter().any(|key| !may_add(key)) && inherits(value) {
            refuse("is changed here", "declare its features in the root Cargo.toml");
        }
    }
    problems
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn check_unused(tree: &Tree, members: &[Manifest<'_>]) -> Vec<Problem> {
    let root = root_manifest(tree);
    let declared = root.get("workspace").and_then(|it| it.get("dependencies"));
    let declared = declared.and_then(Value::as_table).into_iter().flat_map(Table::keys);
    let used = |name: &str| {
        members.iter().any(|it| it.dependencies().iter().any(|(_, used, _)| *used == name))
    };
    let unused = declared.filter(|name| !used(name));
    let problem = |name: &String| {
        let line = line_of_key(tree.text(ROOT).unwrap_or_default(), "dependencies", name);
        Problem::at(ROOT, line, format!("no crate uses '{name}'"), "remove the line")
    };
    unused.map(problem).collect()
}

fn check_unsafe(tree: &Tree) -> Option<Problem> {
    let root = root_manifest(tree);
    let lints = root.get("workspace").and_then(|it| it.get("lints")).and_then(|it| it.get("rust"));
    if lints.and_then(|it| it.get("unsafe_code")).and_then(Value::as_str) == Some("forbid") {
        return None;
    }
    let line =
        line_of_key(tree.text(ROOT).unwrap_or_default(), "workspace.lints.rust", "unsafe_code");
    let cure = "write unsafe_code = \"forbid\" under [workspace.lints.rust]";
    Some(Problem::at(ROOT, line, "unsafe code is not forbidden", cure))
}

const ROOT: &str = "Cargo.toml";

fn root_manifest(tree: &Tree) -> Table {
    tree.text(ROOT).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn check_clippy(tree: &Tree) -> Vec<Problem> {
    const FILE: &str = "clippy.toml";
    let clippy: Table = tree.text(FILE).and_then(|text| text.parse().ok()).unwrap_or_default();
    let bans = clippy.get("disallowed-methods").and_then(Value::as_array);
    let field = |ban: &Value, key| ban.get(key).and_then(Value::as_str).map(str::to_owned);
    let has_reason = |path: &str| {
        let mut bans = bans.into_iter().flatten();
        let ban = bans.find(|ban| field(ban, "path").as_deref() == Some(path));
        ban.is_some_and(|ban| field(ban, "reason").is_some())
    };
    let banned = BANNED.iter().filter(|path| !has_reason(path)).map(|path| {
        let what = format!("{path} is not banned, or without a reason");
        Problem::at(FILE, 1, what, "list it under disallowed-methods with what to use instead")
    });
    let thresholds = THRESHOLDS.iter().filter(|(key, limit)| {
        clippy.get(*key).and_then(Value::as_integer).is_none_or(|set| set > *limit)
    });
    let thresholds = thresholds.map(|(key, limit)| {
        Problem::at(
            FILE,
            1,
            format!("{key} is above {limit}, or not set"),
            "set it, and split what is longer",
        )
    });
    banned.chain(thresholds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    const PACKAGE: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
         rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
         [lints]\nworkspace = true\n";

    fn of_member(manifest: &str, check: fn(&Manifest<'_>) -> Vec<Problem>) -> Vec<String> {
        let tree = Tree::of(&[("crates/a/Cargo.toml", manifest)]);
        places(&check(&members(&tree)[0]))
    }

    #[test]
    fn a_crate_inherits_its_package_and_lints() {
        assert_eq!(of_member(PACKAGE, check_package), [""; 0]);
        let own = PACKAGE.replace("edition.workspace = true", "edition = \"2021\"");
        assert_eq!(of_member(&own, check_package), ["crates/a/Cargo.toml:3"]);
        let own = PACKAGE.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(of_member(&own, check_package), ["crates/a/Cargo.toml:1"]);
    }

    #[test]
    fn dependencies_are_declared_centrally() {
        for (line, problems) in [
            ("[dependencies]\nx.workspace = true", 0),
            ("[dev-dependencies]\nx = { workspace = true, features = [\"test-util\"] }", 0),
            ("[dependencies]\nx = { workspace = true, features = [\"f\"] }", 1),
            ("[dependencies]\nx = { workspace = true, optional = true }", 0),
            ("[dependencies]\nx = \"1\"", 1),
            ("[dev-dependencies]\nx = { path = \"../x\" }", 1),
        ] {
            assert_eq!(of_member(line, check_dependencies).len(), problems, "{line}");
        }
    }

    #[test]
    fn a_dependency_that_nobody_uses_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace.dependencies]\nx = \"1\"\ny = \"1\"\n"),
            ("crates/a/Cargo.toml", "[dependencies]\nx.workspace = true\n"),
        ]);
        assert_eq!(places(&check_unused(&tree, &members(&tree))), ["Cargo.toml:3"]);
    }

    #[test]
    fn unsafe_code_stays_forbidden() {
        let of = |level: &str| {
            let text = format!("[workspace.lints.rust]\nunsafe_code = \"{level}\"\n");
            check_unsafe(&Tree::of(&[("Cargo.toml", &text)]))
        };
        assert_eq!(of("forbid"), None);
        assert!(of("warn").is_some());
    }

    #[test]
    fn a_lost_ban_or_a_raised_limit_is_found() {
        assert_eq!(check_clippy(&Tree::of(&[])).len(), BANNED.len() + THRESHOLDS.len());
        let bans: String =
            BANNED.iter().map(|path| format!("{{ path = \"{path}\", reason = \"r\" }},")).collect();
        let limits: String =
            THRESHOLDS.iter().map(|(key, limit)| format!("{key} = {limit}\n")).collect();
        let text = format!("{limits}disallowed-methods = [{bans}]\n");
        assert_eq!(check_clippy(&Tree::of(&[("clippy.toml", &text)])), []);
        let text = text.replacen("reason", "note", 1).replace("= 70", "= 71");
        assert_eq!(check_clippy(&Tree::of(&[("clippy.toml", &text)])).len(), 2);
    }
}
