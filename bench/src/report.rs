//! Tables: printed as they are ready, and written as a page.
//!
//! A run of a few scenarios replaces their tables on the page that is there, and says so in each.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use crate::options::Options;
use crate::statistics::Samples;
use crate::system;

/// What a line begins with that names a server without results.
const ABSENT: &str = "Not measured: ";

/// What has been found so far.
pub struct Report {
    options: Options,
    machine: String,
    tables: Vec<Table>,
    absent: Vec<(String, String)>,
    /// Of an earlier run, and not measured in this one.
    kept: Vec<Kept>,
    absent_before: Vec<String>,
}

/// A table as it stands on the page.
struct Kept {
    scenario: char,
    markdown: String,
}

/// One table of the report.
pub struct Table {
    scenario: char,
    title: String,
    note: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table of a scenario.
    pub fn new(scenario: char, title: &str, head: &[&str]) -> Self {
        Self {
            scenario,
            title: title.to_owned(),
            note: String::new(),
            head: head.iter().map(|it| (*it).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Says how to read it.
    pub fn note(&mut self, note: &str) {
        note.clone_into(&mut self.note);
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }

    /// A median with its spread, as cells show it.
    pub fn spread(samples: &Samples) -> String {
        if samples.is_empty() {
            return "–".to_owned();
        }
        format!("{:.2} ({:.2}–{:.2})", samples.median(), samples.min(), samples.max())
    }

    fn markdown(&self) -> String {
        let mut out = format!("### ({}) {}\n\n", self.scenario, self.title);
        if !self.note.is_empty() {
            let _ = writeln!(out, "{}\n", self.note);
        }
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        out.push_str(&line(&self.head));
        out.push_str(&line(&vec!["---".to_owned(); self.head.len()]));
        self.rows.iter().for_each(|row| out.push_str(&line(row)));
        out.push('\n');
        out
    }
}

impl Report {
    /// Nothing found yet.
    pub fn new(options: &Options) -> Result<Self> {
        let page = options.report.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let is_partial = !options.only.is_empty();
        let page = page.filter(|_| is_partial).unwrap_or_default();
        let mut kept = tables(&page);
        kept.retain(|it| !options.wants(it.scenario));
        let absent_before = page.lines().filter(|line| line.starts_with(ABSENT));
        Ok(Self {
            options: options.clone(),
            machine: system::description()?,
            tables: Vec::new(),
            absent: Vec::new(),
            absent_before: absent_before.map(str::to_owned).collect(),
            kept,
        })
    }

    /// Prints a table, and writes the page as far as it has come.
    pub fn table(&mut self, mut table: Table) -> Result<()> {
        if !self.kept.is_empty() {
            table.note.push_str(&format!(
                " Measured after the rest of this page, in {} rounds.",
                self.options.rounds
            ));
        }
        println!("{}", table.markdown());
        self.tables.push(table);
        self.tables.sort_by_key(|table| table.scenario);
        self.write()
    }

    /// Remembers that a server could not be measured.
    pub fn absent(&mut self, name: &str, error: &anyhow::Error) {
        eprintln!("{name} is left out: {error:#}");
        let reason = format!("{error:#}");
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        self.absent.push((name.to_owned(), reason));
    }

    /// Whether a server could not be measured before.
    pub fn is_absent(&self, name: &str) -> bool {
        self.absent.iter().any(|(absent, _)| absent == name)
    }

    fn write(&self) -> Result<()> {
        let Some(path) = &self.options.report else { return Ok(()) };
        let mut page = String::from(include_str!("introduction.md"));
        let _ = write!(
            page,
            "\n## The machine\n\n{} {} rounds{}.\n\n## Results\n\n",
            self.machine,
            self.options.rounds,
            if self.options.quick {
                ", in the quick mode, which says nothing about speed"
            } else {
                ""
            },
        );
        let now = self.tables.iter().map(|table| (table.scenario, table.markdown()));
        let kept = self.kept.iter().map(|table| (table.scenario, table.markdown.clone()));
        let mut all: Vec<_> = kept.chain(now).collect();
        all.sort_by_key(|(scenario, _)| *scenario);
        all.iter().for_each(|(_, markdown)| page.push_str(markdown));
        for line in &self.absent_before {
            let _ = writeln!(page, "{line}");
        }
        for (name, reason) in &self.absent {
            let _ = writeln!(page, "{ABSENT}{name} ({reason}).");
        }
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The tables on a page.
fn tables(page: &str) -> Vec<Kept> {
    const HEAD: &str = "### (";
    let results = page.split_once("\n## Results\n").map_or("", |(_, results)| results);
    let mut tables: Vec<Kept> = Vec::new();
    for line in results.lines().filter(|line| !line.starts_with(ABSENT)) {
        match (line.strip_prefix(HEAD).and_then(|rest| rest.chars().next()), tables.last_mut()) {
            (Some(scenario), _) => tables.push(Kept { scenario, markdown: format!("{line}\n") }),
            (None, Some(table)) => {
                table.markdown.push_str(line);
                table.markdown.push('\n');
            }
            (None, None) => {}
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_a_page_are_found() {
        let mut table = Table::new('b', "Two", &["x"]);
        table.note("A note.");
        table.row(["1".to_owned()]);
        let first = Table::new('a', "One", &["y"]).markdown();
        let page = format!("# P\n\n### (z) no\n\n## Results\n\n{first}{}", table.markdown());
        let found = tables(&page);
        assert_eq!(found.iter().map(|it| it.scenario).collect::<String>(), "ab");
        assert_eq!([&found[0].markdown, &found[1].markdown], [&first, &table.markdown()]);
    }
}
