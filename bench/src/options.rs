//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Lab;
use crate::system;

const USAGE: &str = "\
usage: tidings-bench --tidings PROGRAM [--quick] [--only SCENARIOS] [--rounds N] [--report FILE]
  --quick      small and short, one round: shows that everything works, not how fast
  --only       letters of scenarios, such as ad
  --targets    names of servers as the tables show them, separated by commas
  --rounds     how often everything is measured, in turn (default 5)
  --report     where the report is written (default: nowhere); with --only, the rest of it stays
  --count      'compare' or 'record': only counts instructions, under valgrind";

/// What is done with counted instructions.
#[derive(Clone, Copy, Debug)]
pub enum Counting {
    /// They become the record.
    Record,
    /// They must not be more than recorded.
    Compare,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where and with what.
    pub lab: Lab,
    /// Small and short.
    pub quick: bool,
    /// Letters of the scenarios; all when empty.
    pub only: String,
    /// Names of servers; all when empty.
    pub targets: Vec<String>,
    /// How often each measurement is repeated.
    pub rounds: usize,
    /// Where the report goes.
    pub report: Option<PathBuf>,
    /// Count instructions instead of measuring.
    pub counting: Option<Counting>,
}

impl Options {
    /// Reads the command line.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let cores = system::cores()?;
        let [server_core, .., own_core] = cores[..] else { bail!("two cores are needed") };
        let bench = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let lab = Lab {
            server_core,
            own_core,
            tidings: PathBuf::new(),
            under: Vec::new(),
            peers: bench.join(".peers"),
            work: bench.join(".work"),
        };
        let mut options = Self {
            lab,
            quick: false,
            only: String::new(),
            targets: Vec::new(),
            rounds: 5,
            report: None,
            counting: None,
        };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if name == "--help" {
                println!("{USAGE}");
                std::process::exit(0);
            }
            if name == "--quick" {
                (options.quick, options.rounds) = (true, 1);
                continue;
            }
            let value = rest.next().with_context(|| USAGE)?;
            match name.as_str() {
                "--tidings" => options.lab.tidings = value.into(),
                "--only" => options.only.clone_from(value),
                "--targets" => options.targets = value.split(',').map(Into::into).collect(),
                "--rounds" => options.rounds = value.parse().context("--rounds takes a number")?,
                "--report" => options.report = Some(value.into()),
                "--count" if value == "record" => options.counting = Some(Counting::Record),
                "--count" if value == "compare" => options.counting = Some(Counting::Compare),
                _ => bail!("{USAGE}"),
            }
        }
        anyhow::ensure!(options.lab.tidings.exists(), "{USAGE}");
        Ok(options)
    }

    /// Whether a scenario is wanted.
    pub fn wants(&self, letter: char) -> bool {
        self.only.is_empty() || self.only.contains(letter)
    }

    /// Whether a server is wanted.
    pub fn wants_target(&self, name: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|wanted| wanted == name)
    }

    /// How long one measurement takes at least.
    pub fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { 1_000 })
    }

    /// A number of connections, smaller in a quick run.
    pub fn connections(&self, count: usize) -> usize {
        if self.quick { count / 20 } else { count }
    }
}
