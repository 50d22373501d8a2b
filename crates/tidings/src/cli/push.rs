//! `tidings push …` and `tidings fake-push`: what can be typed, and what it means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Place, wait_for};
use crate::client::admin::Admin;
use crate::client::publish::Content;
use crate::client::push::{self, Chosen, NewPush};
use crate::notification_hubs::fake_push;

#[derive(Debug, Subcommand)]
pub(super) enum Push {
    /// Send a notification through a hub and wait for what becomes of it
    Send(Send),
    /// List the latest notifications with what became of them
    Outcomes(Outcomes),
    /// List the devices of a hub
    Devices(Devices),
    /// Find out where notifications are dropped: at the hub, at the push service, at the device
    Fix(Fix),
}

#[derive(Debug, Args)]
pub(super) struct Send {
    /// The payload, or for templates an object of properties, unless --file names it
    #[arg(value_name = "PAYLOAD", required_unless_present = "file", conflicts_with = "file")]
    content: Option<String>,
    /// Take the payload from FILE, - for standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is for: apple, fcmv1, browser or another platform, or template
    #[arg(long, value_name = "NAME", default_value = "template")]
    format: String,
    /// Who it is for, such as 'news && !muted' [default: everybody]
    #[arg(long, value_name = "EXPRESSION")]
    tags: Option<String>,
    #[command(flatten)]
    chosen: ChosenHub,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Outcomes {
    /// Only this notification
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: ChosenHub,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: ChosenHub,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Fix {
    /// The notification that did not arrive [default: the latest of each hub]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The hub [default: all]
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Which hub is meant.
#[derive(Debug, Args)]
struct ChosenHub {
    /// Name of the hub [default: the first]
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
    /// Name of its namespace [default: that of the configuration]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct FakePush {
    /// Folder for accounts and certificates
    #[arg(long, value_name = "DIR", default_value = ".tidings-fake-push")]
    data: PathBuf,
    /// Port of HTTP: the inbox, FCM, the token endpoint; 0 for a free one
    #[arg(long, value_name = "N", default_value = "8090")]
    http_port: u16,
    /// Port of HTTPS: the endpoints of browsers; 0 for a free one
    #[arg(long, value_name = "N", default_value = "8453")]
    https_port: u16,
    /// Port of the fake of APNs; 0 for a free one
    #[arg(long, value_name = "N", default_value = "8454")]
    apns_port: u16,
    /// Write addresses and credentials to FILE (JSON) once everything is served
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Push {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Send(Send { content, file, format, tags, chosen, place }) => {
                let config = place.config()?;
                let content =
                    file.map_or_else(|| Content::Given(content.unwrap_or_default()), Content::File);
                let push = NewPush { format, tags, content };
                wait_for(async {
                    push::send(&Admin::find(&config).await?, &chosen.chosen(), &push).await
                })
            }
            Self::Outcomes(Outcomes { id, limit, json, chosen, place }) => {
                let config = place.config()?;
                let chosen = Chosen { id, limit, ..chosen.chosen() };
                wait_for(async {
                    push::outcomes(&Admin::find(&config).await?, &chosen, json).await
                })
            }
            Self::Devices(Devices { tag, limit, json, chosen, place }) => {
                let config = place.config()?;
                let chosen = Chosen { tag, limit, ..chosen.chosen() };
                wait_for(async { push::devices(&Admin::find(&config).await?, &chosen, json).await })
            }
            Self::Fix(Fix { id, hub, place }) => {
                let config = place.config()?;
                let chosen = Chosen { id, hub, ..Chosen::default() };
                wait_for(async { push::fix(&Admin::find(&config).await?, &chosen).await })
            }
        }
    }
}

impl ChosenHub {
    fn chosen(self) -> Chosen {
        Chosen { hub: self.hub, namespace: self.namespace, ..Chosen::default() }
    }
}

impl FakePush {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { data, http_port, https_port, apns_port, ready_file } = self;
        let alone = fake_push::Alone { data, http_port, https_port, apns_port, ready_file };
        wait_for(fake_push::run(alone))
    }
}
