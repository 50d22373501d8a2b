//! `tidings connect` and `tidings publish`: what can be typed, and what it means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use webpubsub::name::HubName;

use super::{Place, wait_for};
use crate::client::codec::Protocol;
use crate::client::publish::{Content, Form, Receiver};
use crate::client::target::Target;
use crate::client::{connect, publish};
use crate::config::{self, Config};

#[derive(Debug, Args)]
pub(super) struct Connect {
    /// Name of the hub
    #[arg(value_parser = hub_name)]
    hub: HubName,
    /// Connect as this user [default: anonymously]
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Be in this group from the start; repeatable. Lines go to the first one
    #[arg(long, value_name = "NAME", value_parser = group_name)]
    group: Vec<String>,
    /// What the client may do; repeatable [default: join, leave and send to every group]
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// What the client speaks
    #[arg(long, value_enum, default_value = "json-reliable")]
    protocol: Protocol,
    /// Read no input, only show what arrives, until Ctrl-C
    #[arg(long)]
    listen: bool,
    #[command(flatten)]
    service: Service,
}

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// Name of the hub
    #[arg(value_parser = hub_name)]
    hub: HubName,
    /// The message, unless --file names it
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    message: Option<String>,
    #[command(flatten)]
    receiver: ReceiverArgs,
    /// The message is a JSON value
    #[arg(long)]
    json: bool,
    /// The message is text, as it is on the command line unless --json is given
    #[arg(long, conflicts_with = "json")]
    text: bool,
    /// Send the content of FILE, - for standard input; as bytes unless --json or --text is given
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    service: Service,
}

/// Who gets a message; everyone unless one of these is given.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct ReceiverArgs {
    /// Only to members of this group
    #[arg(long, value_name = "NAME", value_parser = group_name)]
    group: Option<String>,
    /// Only to this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only to this connection
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

/// Which resource a client talks to.
#[derive(Debug, Args)]
struct Service {
    /// Name of the resource [default: the only one]
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Its address [default: where it was last served]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Connect {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { hub, user, group, mut role, protocol, listen, service } = self;
        if role.is_empty() {
            role = DEFAULT_ROLES.map(str::to_owned).to_vec();
        }
        let config = service.place.config()?;
        let wanted = connect::Wanted { hub, user, groups: group, roles: role, protocol, listen };
        wait_for(async { connect::run(service.target(&config).await?, wanted).await })
    }
}

impl Publish {
    /// Runs the command.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { hub, message, receiver, json, text, file, service } = self;
        let config = service.place.config()?;
        let form = match (json, text || file.is_none()) {
            (true, _) => Form::Json,
            (false, true) => Form::Text,
            (false, false) => Form::Binary,
        };
        let content =
            file.map_or_else(|| Content::Given(message.unwrap_or_default()), Content::File);
        let receiver = match receiver {
            ReceiverArgs { group: Some(group), .. } => Receiver::Group(group),
            ReceiverArgs { user: Some(user), .. } => Receiver::User(user),
            ReceiverArgs { connection: Some(id), .. } => Receiver::Connection(id),
            ReceiverArgs { .. } => Receiver::All,
        };
        wait_for(async {
            let target = service.target(&config).await?;
            publish::run(&target, &hub, &receiver, &content, form).await
        })
    }
}

/// What a terminal client may do unless told otherwise.
const DEFAULT_ROLES: [&str; 2] = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];

fn hub_name(text: &str) -> Result<HubName, String> {
    HubName::parse(text).map_err(|error| error.message().to_owned())
}

fn group_name(text: &str) -> Result<String, String> {
    let checked = webpubsub::name::check_group(text);
    checked.map(|()| text.to_owned()).map_err(|error| error.message().to_owned())
}

impl Service {
    async fn target(&self, config: &Config) -> anyhow::Result<Target> {
        let endpoint = self.endpoint.as_deref().map(config::endpoint).transpose()?;
        Target::find(config, self.resource.as_deref(), endpoint.as_deref()).await
    }
}
