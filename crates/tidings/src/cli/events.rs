//! `tidings events …`: what can be typed, and what it means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Place, wait_for};
use crate::client::admin::Admin;
use crate::client::events::{self, Choice, NewEvent};
use crate::client::publish::Content;
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Show events as they are published, and what becomes of their deliveries, until Ctrl-C
    Tail(Tail),
    /// Publish an event to a topic
    Send(Send),
    /// List event subscriptions: their state, what waits, what died, how the last attempt ended
    Subscriptions(Subscriptions),
    /// List events that could not be delivered, newest first
    DeadLetters(DeadLetters),
    /// Put events that could not be delivered back into their queue
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// One JSON object a line, as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Send {
    /// The type of the event, such as order.made
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Its data, a JSON value, unless --file names it; of a topic with a custom schema, the event
    #[arg(value_name = "DATA", required_unless_present = "file", conflicts_with = "file")]
    content: Option<String>,
    /// Take the data from FILE, - for standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the event is about
    #[arg(long, value_name = "TEXT", default_value = "tidings")]
    subject: String,
    /// Name of the topic
    #[arg(long, value_name = "NAME", default_value = "local")]
    topic: String,
    /// Address of the server [default: where it was last served]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Subscriptions {
    /// Only those of this topic
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct DeadLetters {
    #[command(flatten)]
    chosen: Chosen,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// One JSON object a line, with the whole event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Redrive {
    #[command(flatten)]
    chosen: Chosen,
    /// All of them
    #[arg(long, conflicts_with_all = ["subscription", "reason", "id"])]
    all: bool,
    #[command(flatten)]
    place: Place,
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
struct Chosen {
    /// Only those of this event subscription
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// The topic of that event subscription, where several have one of this name
    #[arg(long, value_name = "NAME", requires = "subscription")]
    topic: Option<String>,
    /// Only those given up for this reason
    #[arg(long, value_name = "REASON", value_parser = ["attempts-exhausted", "expired", "refused"])]
    reason: Option<String>,
    /// Only this one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

impl Events {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Tail(Tail { json, place }) => {
                let config = place.config()?;
                wait_for(async { events::tail(&Admin::find(&config).await?, json).await })
            }
            Self::Send(send) => send.run(),
            Self::Subscriptions(Subscriptions { topic, json, place }) => {
                let config = place.config()?;
                wait_for(async {
                    events::subscriptions(&Admin::find(&config).await?, topic.as_deref(), json)
                        .await
                })
            }
            Self::DeadLetters(DeadLetters { chosen, limit, json, place }) => {
                let config = place.config()?;
                let choice = chosen.choice();
                wait_for(async {
                    events::dead_letters(&Admin::find(&config).await?, &choice, limit, json).await
                })
            }
            Self::Redrive(Redrive { chosen, all, place }) => {
                let config = place.config()?;
                let choice = Choice { all, ..chosen.choice() };
                wait_for(async { events::redrive(&Admin::find(&config).await?, &choice).await })
            }
        }
    }
}

impl Send {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self { event_type, content, file, subject, topic, endpoint, place } = self;
        let config = place.config()?;
        let content =
            file.map_or_else(|| Content::Given(content.unwrap_or_default()), Content::File);
        let endpoint = endpoint.as_deref().map(config::endpoint).transpose()?;
        let event = NewEvent { event_type, subject, content };
        wait_for(async { events::send(&config, &topic, endpoint.as_deref(), &event).await })
    }
}

impl Chosen {
    fn choice(self) -> Choice {
        let Self { subscription, topic, reason, id } = self;
        Choice { subscription, topic, reason, id, all: false }
    }
}
