//! `tidings trace`: what can be typed, and what it means.

use std::process::ExitCode;

use clap::Args;

use super::{Place, wait_for};
use crate::client::admin::Admin;
use crate::client::trace::{self, Choice, Watched};
use crate::terminal::Style;

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// Its trace id, the x-ms-request-id or x-ms-client-request-id of its request, or the id of a
    /// message, thread, event, notification or call in it; without it, the newest are listed
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// List only those that began then or later: a time, or an age such as 15m
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    since: Option<String>,
    /// List only those that stand like this
    #[arg(long, value_name = "HOW", value_parser = ["done", "waiting", "failed"],
          conflicts_with = "id")]
    outcome: Option<String>,
    /// List at most so many
    #[arg(long, value_name = "N", default_value = "20", conflicts_with = "id")]
    limit: usize,
    /// Instead, watch what happens to the connections of this hub, frame by frame, until Ctrl-C
    #[arg(long, value_name = "HUB", conflicts_with_all = ["id", "since", "outcome", "limit"])]
    live: Option<String>,
    /// Watch only the connections of this user
    #[arg(long, value_name = "USER", requires = "live", conflicts_with = "connection")]
    user: Option<String>,
    /// Watch only this connection
    #[arg(long, value_name = "ID", requires = "live")]
    connection: Option<String>,
    /// The Web PubSub resource of the hub, where there are several
    #[arg(long, value_name = "NAME", requires = "live")]
    resource: Option<String>,
    /// JSON, as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Trace {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { id, since, outcome, limit, live, user, connection, resource, json, place } =
            self;
        let config = place.config()?;
        let variables: Vec<(String, String)> = std::env::vars().collect();
        let style = Style::of_stdout(&variables);
        wait_for(async {
            let admin = Admin::find(&config).await?;
            if let Some(hub) = live {
                let watched = Watched { hub, resource, user, connection };
                return trace::live(&admin, &watched, json, style).await;
            }
            match id {
                Some(id) => trace::one(&admin, &id, json, style).await,
                None => trace::list(&admin, &Choice { since, outcome, limit }, json, style).await,
            }
        })
    }
}
