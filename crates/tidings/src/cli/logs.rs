//! `tidings logs …`: what can be typed, and what it means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Place, wait_for};
use crate::client::admin::Admin;
use crate::client::logs::{self, Question};
use crate::client::publish::Content;

#[derive(Debug, Subcommand)]
pub(super) enum Logs {
    /// Ask the log tables of a running server in KQL
    Query(Query),
    /// List the log tables and their columns
    Tables(Tables),
}

#[derive(Debug, Args)]
pub(super) struct Query {
    /// Such as 'ACSChatIncomingOperations | where ResultSignature == "403" | take 10', unless --file
    /// names it
    #[arg(value_name = "KQL", required_unless_present = "file", conflicts_with = "file")]
    query: Option<String>,
    /// Take the query from FILE, - for standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only rows of this time: 30m, 12h, 7d, P1D, or START/END in ISO 8601 [default: all that is kept]
    #[arg(long, value_name = "SPAN")]
    timespan: Option<String>,
    /// One JSON object a row and line, with all columns
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Tables {
    #[command(flatten)]
    place: Place,
}

impl Logs {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Query(Query { query, file, timespan, json, place }) => {
                let config = place.config()?;
                let content =
                    file.map_or_else(|| Content::Given(query.unwrap_or_default()), Content::File);
                let question = Question { content, timespan };
                wait_for(async { logs::query(&Admin::find(&config).await?, &question, json).await })
            }
            Self::Tables(Tables { place }) => {
                let config = place.config()?;
                wait_for(async { logs::tables(&Admin::find(&config).await?).await })
            }
        }
    }
}
