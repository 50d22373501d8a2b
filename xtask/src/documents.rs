//! Markdown: links and paths lead somewhere, and a page has one title.
//!
//! Links to other sites are not followed; anchors within a page are not checked.

use crate::problem::Problem;
use crate::tree::Tree;

/// Checks every page.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    tree.texts(".md").flat_map(|(path, text)| check_page(tree, path, text)).collect()
}

fn check_page(tree: &Tree, path: &str, text: &str) -> Vec<Problem> {
    let lines = prose(text);
    let mut problems = Vec::new();
    let titles: Vec<usize> = lines
        .iter()
        .filter(|(_, line)| line.starts_with("# "))
        .map(|(number, _)| *number)
        .collect();
    if titles.len() != 1 {
        let what = format!("the page has {} titles", titles.len());
        let line = titles.get(1).copied().unwrap_or(1);
        problems.push(Problem::at(path, line, what, "give it one line that begins with '# '"));
    }
    for (number, line) in lines {
        let (words, quoted) = split_code(line);
        for target in links(&words).filter(|target| !leads(tree, path, target)) {
            let what = format!("the link to '{target}' leads nowhere");
            problems.push(Problem::at(path, number, what, "correct the path, or remove the link"));
        }
        for named in quoted.into_iter().filter_map(|code| repository_path(tree, code)) {
            if !tree.holds(named) && !tree.ignores(named) {
                let what = format!("there is no '{named}'");
                problems.push(Problem::at(path, number, what, "correct the path"));
            }
        }
    }
    problems
}

/// The numbered lines outside fenced blocks.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let outside = |line: &str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    let mut outside = outside;
    (1..).zip(text.lines()).filter(|(_, line)| outside(line)).collect()
}

/// A line without its code, and the pieces of code.
fn split_code(line: &str) -> (String, Vec<&str>) {
    let pieces: Vec<&str> = line.split('`').collect();
    let words: Vec<&str> = pieces.iter().copied().step_by(2).collect();
    (words.join(" "), pieces.into_iter().skip(1).step_by(2).collect())
}

/// The targets of `[text](target)`, `[name]: target` and of HTML attributes.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let after = |mark: &'static str, end: &'static [char]| {
        line.split(mark).skip(1).filter_map(move |rest| rest.split(end).next())
    };
    let definition = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
    after("](", &[')', ' '])
        .chain(after("src=\"", &['"']))
        .chain(after("href=\"", &['"']))
        .chain(definition.into_iter().filter_map(|(_, rest)| rest.split_whitespace().next()))
}

/// Whether a link of the page at `path` leads to a file of the repository, or elsewhere.
fn leads(tree: &Tree, path: &str, target: &str) -> bool {
    let target = target.split('#').next().unwrap_or_default();
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.pop().is_none() => return false,
            ".." => {}
            name => segments.push(name),
        }
    }
    tree.holds(&segments.join("/"))
}

/// The path that `code` names, if it begins in a folder at the root and stands for one path.
fn repository_path<'a>(tree: &Tree, code: &'a str) -> Option<&'a str> {
    let path = code.split([' ', ':']).next()?;
    let (first, rest) = path.split_once('/')?;
    let is_pattern = path.contains(['<', '*', '{', '$', '…']);
    (!first.is_empty() && !rest.is_empty() && !is_pattern && tree.holds(first)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::places;

    fn found(page: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("README.md", "# T\n"),
            ("docs/guide/a.md", ""),
            ("crates/wire/src/lib.rs", ""),
            ("target/x", ""),
        ]);
        places(&check_page(&tree, "docs/b.md", page))
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let page = "# T\n[a](guide/a.md#x) [b](../README.md) [c](https://x.example/y) [d](#here) [e](.)\n\
                    [f]: guide\n`[x](no.md)`\n```\n[x](no.md)\n# no title\n```\n";
        assert_eq!(found(page), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let page = "# T\n[a](a.md)\n[b](../../x)\n<img src=\"shot.png\">\n[f]: gone\n";
        assert_eq!(found(page), ["docs/b.md:2", "docs/b.md:3", "docs/b.md:4", "docs/b.md:5"]);
    }

    #[test]
    fn paths_in_code_are_those_of_the_repository() {
        let page = "# T\n`crates/wire/src/lib.rs:7` `crates/<x>/src` `application/json` `target/gone`\n\
                    `crates/gone` \n";
        assert_eq!(found(page), ["docs/b.md:3"]);
    }

    #[test]
    fn a_page_has_one_title() {
        assert_eq!(found("## T\n"), ["docs/b.md:1"]);
        assert_eq!(found("# T\n\n# U\n"), ["docs/b.md:3"]);
    }
}
