//! Tables: printed as they are ready, and written as a page at the end.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use crate::options::Options;
use crate::statistics::Samples;
use crate::system;

/// What has been found so far.
pub struct Report {
    options: Options,
    machine: String,
    tables: Vec<Table>,
    absent: Vec<(String, String)>,
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
        Ok(Self {
            options: options.clone(),
            machine: system::description()?,
            tables: Vec::new(),
            absent: Vec::new(),
        })
    }

    /// Prints a table, and writes the page as far as it has come.
    pub fn table(&mut self, table: Table) -> Result<()> {
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
        self.tables.iter().for_each(|table| page.push_str(&table.markdown()));
        for (name, reason) in &self.absent {
            let _ = writeln!(page, "Not measured: {name} ({reason}).");
        }
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
    }
}
