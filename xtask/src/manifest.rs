//! A crate's `Cargo.toml`: its values, and the lines where they stand.

use toml::{Table, Value};

use crate::problem::Problem;
use crate::tree::Tree;

/// The manifest of a member of the workspace.
pub(crate) struct Manifest<'a> {
    /// The crate's folder name.
    pub(crate) name: &'a str,
    pub(crate) path: &'a str,
    pub(crate) values: Table,
    text: &'a str,
}

/// What a dependency is for; the name of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Normal,
    Tests,
    Build,
}

impl Use {
    /// The name of the table that lists such dependencies.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Normal => "dependencies",
            Self::Tests => "dev-dependencies",
            Self::Build => "build-dependencies",
        }
    }
}

/// The readable manifests of all members. One that is no TOML stops every build, so nobody needs to
/// hear of it here.
pub(crate) fn members(tree: &Tree) -> Vec<Manifest<'_>> {
    tree.texts("/Cargo.toml").filter_map(|(path, text)| Manifest::read(path, text)).collect()
}

impl<'a> Manifest<'a> {
    fn read(path: &'a str, text: &'a str) -> Option<Self> {
        let folder = path.strip_suffix("/Cargo.toml")?;
        let name = folder.strip_prefix("crates/").or((folder == "xtask").then_some(folder))?;
        Some(Self { name, path, values: text.parse().ok()?, text })
    }

    /// Every dependency, those of single platforms included.
    pub(crate) fn dependencies(&self) -> Vec<(Use, &str, &Value)> {
        let platforms = self.values.get("target").and_then(Value::as_table);
        let platforms = platforms.into_iter().flatten().filter_map(|(_, value)| value.as_table());
        let mut found = Vec::new();
        for table in [&self.values].into_iter().chain(platforms) {
            for uses in [Use::Normal, Use::Tests, Use::Build] {
                let listed = table.get(uses.table()).and_then(Value::as_table);
                let listed = listed.into_iter().flatten();
                found.extend(listed.map(|(name, value)| (uses, name.as_str(), value)));
            }
        }
        found
    }

    /// A problem at the line where `key` stands in the table `section`.
    pub(crate) fn problem(
        &self,
        section: &str,
        key: &str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Problem {
        Problem::at(self.path, line_of_key(self.text, section, key), what, cure)
    }
}

/// The line of `key` below the header of `section`; that of the header, or 1, when it is not there.
pub(crate) fn line_of_key(text: &str, section: &str, key: &str) -> usize {
    let mut header = None;
    let mut inside = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']);
            inside = name == section || name.ends_with(&format!(".{section}"));
            if inside {
                header = header.or(Some(number));
            } else if name.ends_with(&format!("{section}.{key}")) {
                return number;
            }
        } else if inside && line.split(['=', '.', ' ']).next() == Some(key) {
            return number;
        }
    }
    header.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_platforms_and_tests_are_found() {
        let tree = Tree::of(&[(
            "crates/a/Cargo.toml",
            "[dependencies]\nx = 1\n[dev-dependencies]\nx = 1\n\
             [target.'cfg(unix)'.dependencies]\ny = 1\n",
        )]);
        let members = members(&tree);
        let found: Vec<_> =
            members[0].dependencies().iter().map(|(uses, name, _)| (*uses, *name)).collect();
        assert_eq!(found, [(Use::Normal, "x"), (Use::Tests, "x"), (Use::Normal, "y")]);
    }

    #[test]
    fn a_key_is_found_in_its_section() {
        let text = "[dependencies]\nx = 1\n[dev-dependencies]\nx.workspace = true\n\
                    [dependencies.z]\nw = 1\n";
        assert_eq!(line_of_key(text, "dependencies", "x"), 2);
        assert_eq!(line_of_key(text, "dev-dependencies", "x"), 4);
        assert_eq!(line_of_key(text, "dependencies", "z"), 5);
        assert_eq!(line_of_key(text, "dev-dependencies", "absent"), 3);
        assert_eq!(line_of_key(text, "absent", "x"), 1);
    }
}
