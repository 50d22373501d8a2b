//! `tidings doctor`: what can be typed, and what it means.
//!
//! Exit codes are for scripts: 0 when nothing is confirmed, 1 when something is, 2 when nothing could be
//! found out.

use std::io::Read as _;
use std::process::ExitCode;

use ::monitor::playbook::{Question, Symptom};
use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::{Place, wait_for};
use crate::client::doctor::{self, Health};
use crate::terminal;

/// A token is no longer than this.
const MAX_TOKEN: u64 = 64 * 1024;

/// What scripts and people learn from the end of `--help`.
const MORE: &str = "\
Exit codes: 0 when nothing is confirmed, 1 when something is, 2 when nothing could be found out.
Nothing is changed; a report takes less than ten seconds.

Examples:
  tidings doctor                                    what is wrong, if anything
  tidings doctor --symptom push --user 8:acs:...    why this user's phone is silent
  tidings doctor --journey <id>                     why this very message did not arrive
  tidings doctor --endpoint https://push.example.com --proxy http://proxy:3128";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct Doctor {
    /// What people see; without it, everything is looked at
    #[arg(long, value_name = "SYMPTOM", value_parser = Symptom::ALL.map(Symptom::name))]
    symptom: Option<String>,
    /// Whom it concerns: the raw id of a chat user, such as 8:acs:…, or a user of a hub
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Which chat thread, such as 19:…@thread.v2
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Which device, by its registration id
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Which event subscription; its webhook is asked for its consent once more
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Which notification: its trace id, the x-ms-request-id of its request, or the id of a message,
    /// event, notification or call; only what it went through is looked at
    #[arg(long, value_name = "ID")]
    journey: Option<String>,
    /// Which hub, of Web PubSub or Notification Hubs
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
    /// A token that does not work, or the whole URL with it; - reads it from standard input, where
    /// other users of this machine do not see it
    #[arg(long, value_name = "JWT", allow_hyphen_values = true)]
    token: Option<String>,
    /// The address that clients use, in place of the server's own
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The HTTP proxy that clients use
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// How far back records are read: 90s, 15m, 1h, 7d
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    since: String,
    /// The whole report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Doctor {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.examine() {
            Ok(Health::Well) => Ok(ExitCode::SUCCESS),
            Ok(Health::Ill) => Ok(ExitCode::from(1)),
            Ok(Health::Unknown) => Ok(ExitCode::from(2)),
            Err(error) => {
                terminal::complain(&format!("tidings: error: {error:#}\n"));
                Ok(ExitCode::from(2))
            }
        }
    }

    fn examine(self) -> anyhow::Result<Health> {
        let (config, place) = (self.place.config()?, self.place.typed());
        let token = self.token.map(read).transpose()?;
        let asked = json!({
            "symptom": self.symptom, "user": self.user, "thread": self.thread,
            "device": self.device, "subscription": self.subscription, "journey": self.journey,
            "hub": self.hub, "token": token, "endpoint": self.endpoint, "proxy": self.proxy, "since": self.since,
        });
        let question = Question::parse(asked.to_string().as_bytes())?;
        let mut health = Health::Well;
        wait_for(async {
            health = doctor::examine(&config, &question, &place, self.json).await?;
            Ok(())
        })?;
        Ok(health)
    }
}

fn read(token: String) -> anyhow::Result<String> {
    if token != "-" {
        return Ok(token);
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text).context("cannot read the token")?;
    Ok(text)
}
