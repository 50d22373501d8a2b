//! Files of any kind: nothing heavy, nothing of one machine, origins of golden files.

use crate::problem::Problem;
use crate::rust::line_of;
use crate::tree::{File, Tree};

/// Above this a file makes every clone slow; 200 kB is a screenshot, not a recording.
const MAX_BYTES: usize = 200_000;

/// Where a home directory or a checkout of one machine begins. Taken apart, or this file would be
/// a finding itself.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Whose home directory stands for the reader's own in documents.
const EXAMPLE_USER: &str = "you/";

/// The only registry that the lock file of cargo names.
const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// What ties an installation to one package host: the end of a file name, and the words.
const HOSTS: [(&str, &str); 6] = [
    ("package-lock.json", "\"resolved\""),
    (".npmrc", "registry="),
    (".txt", "--index-url"),
    (".txt", "--extra-index-url"),
    (".in", "--index-url"),
    (".in", "--extra-index-url"),
];

/// Checks every file.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let checks = [check_size, check_machine_paths, check_origin, check_hosts];
    tree.files().iter().flat_map(|file| checks.iter().filter_map(|check| check(file))).collect()
}

fn is_lock(file: &File) -> bool {
    matches!(file.name(), "Cargo.lock" | "package-lock.json")
}

fn check_size(file: &File) -> Option<Problem> {
    let bytes = file.bytes.len();
    if is_lock(file) || bytes <= MAX_BYTES {
        return None;
    }
    let what = format!("the file has {bytes} bytes, at most {MAX_BYTES} are allowed");
    Some(Problem::at(&file.path, 1, what, "make it smaller, or generate it"))
}

fn check_machine_paths(file: &File) -> Option<Problem> {
    let text = file.text()?;
    let (at, found) = MACHINE_PATHS.iter().find_map(|begin| {
        let mut found = text.match_indices(begin);
        found.find(|(at, _)| {
            let is_example = text[at + begin.len()..].starts_with(EXAMPLE_USER);
            !is_example && !continues_a_path(&text[..*at])
        })
    })?;
    let what = format!("a path below '{found}' exists on one machine only");
    Some(Problem::at(&file.path, line_of(text, at), what, "write it relative to the repository"))
}

/// Whether a slash after `before` goes on with a path, as in a URL.
fn continues_a_path(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_some_and(|last| last.is_alphanumeric() || "._-~*})>]/".contains(last))
}

fn check_origin(file: &File) -> Option<Problem> {
    let is_golden = file.path.split('/').rev().skip(1).any(|folder| folder == "golden");
    if !is_golden || file.bytes.starts_with(b"# Origin: ") {
        return None;
    }
    let cure = "begin it with '# Origin: ' and the document or client that it was taken from";
    Some(Problem::at(&file.path, 1, "the golden file does not say where it is from", cure))
}

fn check_hosts(file: &File) -> Option<Problem> {
    let text = file.text()?;
    let (line, what) = if file.name() == "Cargo.lock" {
        let source = |(_, line): &(usize, &str)| line.starts_with("source = ") && *line != REGISTRY;
        (1..).zip(text.lines()).find(source)?
    } else {
        let words = HOSTS.iter().filter(|(end, _)| file.path.ends_with(end));
        let at = words.into_iter().find_map(|(_, word)| text.find(word))?;
        let line = line_of(text, at);
        (line, text.lines().nth(line - 1)?.trim())
    };
    let cure = "lock versions and checksums, and leave the host to each machine's settings";
    Some(Problem::at(&file.path, line, format!("'{what}' names a package host"), cure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    fn found(path: &str, text: &str) -> Vec<String> {
        places(&check(&Tree::of(&[(path, text)])))
    }

    #[test]
    fn heavy_files_are_refused_unless_they_are_locks() {
        let heavy = "x".repeat(MAX_BYTES + 1);
        assert_eq!(found("a.svg", &heavy), ["a.svg:1"]);
        assert_eq!(found("e2e/package-lock.json", &heavy), [""; 0]);
    }

    #[test]
    fn paths_of_one_machine_are_found_but_not_urls() {
        for begin in MACHINE_PATHS {
            assert_eq!(found("a.sh", &format!("#!\ncd {begin}x/y")), ["a.sh:2"], "{begin}");
            let fine = format!("http://host{begin}x $HOME{begin} {begin}you/app");
            assert_eq!(found("a.sh", &fine), [""; 0]);
        }
    }

    #[test]
    fn golden_files_say_where_they_are_from() {
        assert_eq!(found("a/golden/b.txt", "# Origin: RFC 6455\n"), [""; 0]);
        assert_eq!(found("a/golden/b/c.txt", "> x\n"), ["a/golden/b/c.txt:1"]);
        assert_eq!(found("a/golden.txt", "> x\n"), [""; 0]);
    }

    #[test]
    fn lock_files_name_no_package_host() {
        let npm = "{\n\"resolved\": \"https://host.example/x.tgz\"\n}";
        assert_eq!(found("e2e/package-lock.json", npm), ["e2e/package-lock.json:2"]);
        assert_eq!(found("e2e/.npmrc", "registry=https://host.example"), ["e2e/.npmrc:1"]);
        assert_eq!(found("Cargo.lock", &format!("{REGISTRY}\n")), [""; 0]);
        assert_eq!(
            found("Cargo.lock", "source = \"git+https://host.example\"\n"),
            ["Cargo.lock:1"]
        );
        let pip = "ws==1 --hash=sha256:0\n--extra-index-url https://host.example\n";
        assert_eq!(found("requirements.txt", pip), ["requirements.txt:2"]);
    }
}
