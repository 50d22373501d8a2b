//! `tidings console`: a link to the console of a running server.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::{Place, wait_for};
use crate::client::admin::Admin;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct Console {
    #[command(flatten)]
    place: Place,
}

impl Console {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.place.config()?;
        wait_for(async move {
            let made = Admin::find(&config).await?.post("/console/links", &json!({})).await?;
            let link = made["link"].as_str().context("the server has no console")?;
            let minutes = &made["minutes"];
            let text = format!("{link}\n\nIt signs in once, within {minutes} minutes.\n");
            Ok(terminal::say(&text)?)
        })
    }
}
