//! Which crate may know which. [`CRATES`] and [`INSIDE_A_TIER`] are the architecture.
//!
//! A crate knows lower tiers only. Services never know one another: they meet in the program's
//! wiring.

use crate::manifest::{Manifest, Use, members};
use crate::problem::Problem;
use crate::tree::Tree;

/// What a crate is, lowest tier first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Vocabulary,
    Platform,
    /// Known to tests only.
    TestSupport,
    Service,
    Program,
    /// Knows no other crate, and none knows it.
    Tool,
}

const CRATES: [(&str, Tier); 18] = [
    ("kernel", Tier::Vocabulary),
    ("wire", Tier::Vocabulary),
    ("auth", Tier::Platform),
    ("storage", Tier::Platform),
    ("delivery", Tier::Platform),
    ("gateway", Tier::Platform),
    ("cluster", Tier::Platform),
    ("edge", Tier::Platform),
    ("testkit", Tier::TestSupport),
    ("webpubsub", Tier::Service),
    ("communication", Tier::Service),
    ("eventgrid", Tier::Service),
    ("notificationhubs", Tier::Service),
    ("monitor", Tier::Service),
    ("management", Tier::Service),
    ("console", Tier::Service),
    ("tidings", Tier::Program),
    ("xtask", Tier::Tool),
];

/// The arrows between crates of one tier.
const INSIDE_A_TIER: [(&str, &str); 4] =
    [("wire", "kernel"), ("cluster", "gateway"), ("delivery", "storage"), ("edge", "auth")];

/// Finds crates and arrows that the architecture does not have.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    members(tree).iter().flat_map(check_crate).collect()
}

fn check_crate(manifest: &Manifest<'_>) -> Vec<Problem> {
    let Some(tier) = tier(manifest.name) else {
        let what = format!("the crate '{}' is not in the architecture", manifest.name);
        let cure = "make it a module of an existing crate, or give it a tier in \
                    xtask/src/arrows.rs and a line in ARCHITECTURE.md";
        return vec![manifest.problem("package", "name", what, cure)];
    };
    let mut problems = Vec::new();
    for (uses, name, _) in manifest.dependencies() {
        let Some(of) = self::tier(name) else { continue };
        if !allowed((manifest.name, tier), (name, of), uses) {
            let what = format!("'{}' must not know '{name}'", manifest.name);
            problems.push(manifest.problem(uses.table(), name, what, cure(tier, of)));
        }
    }
    problems
}

fn tier(name: &str) -> Option<Tier> {
    CRATES.iter().find(|(known, _)| *known == name).map(|(_, tier)| *tier)
}

fn allowed(from: (&str, Tier), to: (&str, Tier), uses: Use) -> bool {
    match (from.1, to.1) {
        (Tier::Tool, _) | (_, Tier::Tool | Tier::Program) => false,
        (_, Tier::TestSupport) => uses == Use::Tests,
        (from_tier, to_tier) => to_tier < from_tier || INSIDE_A_TIER.contains(&(from.0, to.0)),
    }
}

fn cure(from: Tier, to: Tier) -> &'static str {
    match (from, to) {
        (Tier::Tool, _) => "tools read files and know no crate",
        (_, Tier::TestSupport) => "list it under [dev-dependencies]",
        (Tier::Service, Tier::Service) => {
            "let the service that needs something own a small trait, and implement it in the \
             program's wiring"
        }
        _ => "depend on lower tiers only: move the type down, or the code that needs it up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    fn found(name: &str, manifest: &str) -> Vec<String> {
        places(&check(&Tree::of(&[(&format!("crates/{name}/Cargo.toml"), manifest)])))
    }

    #[test]
    fn arrows_down_and_the_named_ones_are_fine() {
        for (name, other) in [
            ("wire", "kernel"),
            ("edge", "auth"),
            ("edge", "wire"),
            ("cluster", "gateway"),
            ("webpubsub", "gateway"),
            ("tidings", "webpubsub"),
            ("testkit", "kernel"),
            ("kernel", "serde"),
        ] {
            let manifest = format!("[dependencies]\n{other}.workspace = true\n");
            assert_eq!(found(name, &manifest), [""; 0], "{name} -> {other}");
        }
    }

    #[test]
    fn every_other_arrow_is_refused() {
        for (name, other) in [
            ("kernel", "wire"),
            ("auth", "edge"),
            ("gateway", "cluster"),
            ("gateway", "webpubsub"),
            ("communication", "webpubsub"),
            ("webpubsub", "testkit"),
            ("webpubsub", "tidings"),
            ("tidings", "xtask"),
        ] {
            let manifest = format!("[dependencies]\nserde = 1\n{other}.workspace = true\n");
            let expected = [format!("crates/{name}/Cargo.toml:3")];
            assert_eq!(found(name, &manifest), expected, "{name} -> {other}");
        }
    }

    #[test]
    fn tests_may_use_test_support_but_know_no_more_of_others() {
        assert_eq!(found("auth", "[dev-dependencies]\ntestkit.workspace = true\n"), [""; 0]);
        assert_eq!(found("auth", "[dev-dependencies]\nwebpubsub.workspace = true\n").len(), 1);
    }

    #[test]
    fn a_crate_outside_the_table_is_refused() {
        assert_eq!(found("extra", "[package]\nname = \"extra\"\n"), ["crates/extra/Cargo.toml:2"]);
    }
}
