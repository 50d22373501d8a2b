//! The files of the repository, read once, without those that `.gitignore` names.
//!
//! Of `.gitignore` the forms in use are understood: `/from/the/root`, `name` at any depth, a closing
//! slash, `*` and `?`. A file that git does not know yet counts, so that a check speaks up before the
//! commit.

use std::fs;
use std::io;
use std::path::Path;

/// A file; its path is relative to the root and has forward slashes.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// The content, unless it is binary.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The path's last segment.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// All files, ordered by path.
pub(crate) struct Tree {
    files: Vec<File>,
    ignored: Vec<String>,
}

impl Tree {
    /// Reads what lies under `root`.
    ///
    /// # Errors
    /// The first file or folder that cannot be read.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let rules = fs::read_to_string(root.join(".gitignore"))?;
        let rules = rules.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let ignored = rules.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let mut tree = Self { files: Vec::new(), ignored };
        tree.walk(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type()?;
            if path == ".git" || self.ignores(&path) {
                continue;
            }
            if kind.is_dir() {
                self.walk(root, &path)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path())?;
                self.files.push(File { path, bytes });
            }
        }
        Ok(())
    }

    /// Every file.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// The files whose name ends in `suffix` and that are text.
    pub(crate) fn texts(&self, suffix: &str) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().filter(move |file| file.path.ends_with(suffix));
        files.filter_map(|file| file.text().map(|text| (file.path.as_str(), text)))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).and_then(File::text)
    }

    /// Whether a file or folder of this path is there.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.iter().any(|file| {
                let rest = file.path.strip_prefix(path);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }

    /// Whether `.gitignore` covers the path or a folder above it.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        self.ignored.iter().any(|rule| {
            let rule = rule.trim_end_matches('/');
            if !rule.contains('/') {
                return path.iter().any(|segment| matches(rule, segment));
            }
            let rule: Vec<&str> = rule.trim_start_matches('/').split('/').collect();
            rule.len() <= path.len() && rule.iter().zip(&path).all(|(rule, is)| matches(rule, is))
        })
    }
}

/// Whether `name` fits a pattern in which `*` stands for anything and `?` for one character.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches(&pattern[1..], &name[at..]))
        }
        Some(wanted) => name.chars().next().is_some_and(|first| {
            (wanted == '?' || wanted == first)
                && matches(&pattern[wanted.len_utf8()..], &name[first.len_utf8()..])
        }),
    }
}

#[cfg(test)]
impl Tree {
    /// A tree for tests, from paths and texts.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), bytes: (*text).into() };
        Self { files: files.iter().map(file).collect(), ignored: vec!["/target/".into()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_paths_are_left_out() {
        let ignored =
            ["/target/", "/fuzz/corpus/*/??", "node_modules/", "*.log"].map(str::to_owned);
        let tree = Tree { files: Vec::new(), ignored: ignored.into() };
        for path in
            ["target/x", "fuzz/corpus/t/ab", "e2e/node_modules/ws/index.js", "a/b.log", "b.log"]
        {
            assert!(tree.ignores(path), "{path}");
        }
        for path in ["crates/target", "fuzz/corpus/t/abc", "e2e/modules", "log", "a.logs"] {
            assert!(!tree.ignores(path), "{path}");
        }
    }

    #[test]
    fn folders_are_held_by_their_files() {
        let tree = Tree::of(&[("docs/guide/a.md", "")]);
        for path in ["docs", "docs/guide/", "docs/guide/a.md"] {
            assert!(tree.holds(path), "{path}");
        }
        assert!(!tree.holds("docs/gui"));
    }
}
