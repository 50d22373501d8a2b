//! The command line: what can be typed, and what each command does with it.
//!
//! No secret is ever an argument, since arguments are visible to every user of a machine. Commands
//! hand a checked [`Config`] on; nothing else reads flags. Exit codes are in `manual.rs`.

mod client;
mod console;
mod doctor;
mod events;
mod logs;
mod manual;
mod push;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, FromArgMatches, Parser, Subcommand};

use crate::config::{self, Config, Flag, Machine, Mode, Outside, Problem};
use crate::keys::{self, Which};
use crate::{logging, run, terminal, trust};

use client::{Connect, Publish};
use console::Console;
use doctor::Doctor;
use events::Events;
use logs::Logs;
use push::{FakePush, Push};
use trace::Trace;

/// The whole road of a notification in one program.
#[derive(Debug, Parser)]
#[command(name = "tidings", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start for development: no configuration, loopback only
    Dev(Dev),
    /// Start for production, from a configuration file
    Serve(Serve),
    /// Tell how other programs come to trust the development certificate
    Trust(Trust),
    /// Show or replace the access keys of a resource
    #[command(subcommand)]
    Keys(Keys),
    /// Print the connection string of a resource
    ConnectionString(ConnectionString),
    /// Print a new sign-in link to the console of a running server
    Console(Console),
    /// Connect to a hub: see what arrives, send what is typed
    Connect(Connect),
    /// Send a message to clients of a hub
    Publish(Publish),
    /// Publish events, watch them, and look after what could not be delivered
    #[command(subcommand)]
    Events(Events),
    /// Send notifications to devices, and find out why one did not arrive
    #[command(subcommand)]
    Push(Push),
    /// Tell what became of a message, event, push or call, stage by stage
    Trace(Trace),
    /// Run fakes of the push services of Apple, Google and browsers alone
    FakePush(FakePush),
    /// Ask what happened: requests, connections, messages, failures
    #[command(subcommand)]
    Logs(Logs),
    /// Find out why a notification did not arrive, with evidence and a cure
    Doctor(Box<Doctor>),
    /// Check a configuration file, or explain what can be set
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
struct Dev {
    /// Folder for all state [default: .tidings in the working folder]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Port of plain HTTP, 0 for a free one [default: 8080]
    #[arg(long, value_name = "N")]
    http_port: Option<u16>,
    /// Port of HTTPS, 0 for a free one [default: 8443]
    #[arg(long, value_name = "N")]
    https_port: Option<u16>,
    /// Port of metrics and health, 0 for a free one [default: 8081]
    #[arg(long, value_name = "N")]
    admin_port: Option<u16>,
    /// Post every event of HUB (* for all hubs) to URL, which may hold {hub} and {event};
    /// repeatable
    #[arg(long, value_name = "HUB=URL")]
    event_handler: Vec<String>,
    /// Post the events of the topic local to URL, as the event subscription NAME; repeatable
    #[arg(long, value_name = "NAME=URL")]
    event_subscription: Vec<String>,
    /// Multiply every pause between delivery attempts, so that 0.001 makes a day of retries pass in
    /// 86 seconds [default: 1]
    #[arg(long, value_name = "FACTOR")]
    retry_time_scale: Option<String>,
    /// Let clients of HUB (* for all hubs) connect without a token; repeatable
    #[arg(long, value_name = "HUB")]
    anonymous: Vec<String>,
    /// Write addresses and connection strings to FILE (JSON) once everything is served
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Print the configuration as a complete tidings.toml and exit
    #[arg(long)]
    print_config: bool,
}

#[derive(Debug, Args)]
struct Serve {
    /// The configuration; `tidings config explain` tells its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Write the addresses to FILE (JSON) once everything is served
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Trust {
    /// Data folder of `tidings dev` [default: .tidings in the working folder]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Print a key
    Show(KeyOf),
    /// Replace a key by a new one and print it
    Rotate(KeyOf),
}

#[derive(Debug, Args)]
struct KeyOf {
    /// Name of the resource; in development it is local. `management` is the server itself
    resource: String,
    /// Which of its two keys
    which: Which,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct ConnectionString {
    /// Name of the resource, in development local; of a notification hub hub/NAME or hub/NAME/POLICY
    resource: String,
    /// With the secondary key instead of the primary one
    #[arg(long)]
    secondary: bool,
    /// For this address instead of the configured one
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Which server a command is about.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Place {
    /// Data folder of `tidings dev` [default: .tidings in the working folder]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Configuration of `tidings serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell every problem of a file, with its line, as `tidings serve` would
    Check {
        /// The configuration
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Tell what a key means; without KEY, list all
    Explain {
        /// A key such as server.http_port, its last part, or a section
        #[arg(value_name = "KEY")]
        key: Option<String>,
    },
}

/// The program: parses the arguments of this process, runs the command, says what went wrong.
pub fn main() -> ExitCode {
    let cli = match manual::command().try_get_matches() {
        Ok(matches) => Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()),
        Err(error) => error.exit(),
    };
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&format!("tidings: error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(dev) => start_dev(dev),
        Command::Serve(serve) => {
            let config = checked_file(&serve.config)?;
            start(config, serve.ready_file)
        }
        Command::Trust(Trust { data }) => print_trust(data),
        Command::Keys(Keys::Show(KeyOf { resource, which, place })) => {
            let config = place.config()?;
            wait_for(async { keys::show(&config, &resource, which).await })
        }
        Command::Keys(Keys::Rotate(KeyOf { resource, which, place })) => {
            let config = place.config()?;
            wait_for(async { keys::rotate(&config, &resource, which).await })
        }
        Command::ConnectionString(wanted) => {
            let config = wanted.place.config()?;
            let which = if wanted.secondary { Which::Secondary } else { Which::Primary };
            let endpoint = wanted.endpoint.as_deref().map(config::endpoint).transpose()?;
            wait_for(async {
                keys::connection_string(&config, &wanted.resource, which, endpoint.as_deref()).await
            })
        }
        Command::Console(wanted) => wanted.run(),
        Command::Connect(wanted) => wanted.run(),
        Command::Publish(wanted) => wanted.run(),
        Command::Events(wanted) => wanted.run(),
        Command::Push(wanted) => wanted.run(),
        Command::Trace(wanted) => wanted.run(),
        Command::FakePush(wanted) => wanted.run(),
        Command::Doctor(wanted) => wanted.run(),
        Command::Logs(wanted) => wanted.run(),
        Command::Config(ConfigCommand::Check { file }) => check_config(&file),
        Command::Config(ConfigCommand::Explain { key }) => {
            let text = config::explain(key.as_deref()).map_err(anyhow::Error::msg)?;
            terminal::say(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn start_dev(dev: Dev) -> anyhow::Result<ExitCode> {
    let flags = dev.flags();
    if !dev.print_config {
        return start(checked_dev(&flags)?, dev.ready_file);
    }
    match config::print(Mode::Dev, &flags, &Machine) {
        Ok(text) => {
            terminal::say(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Err(refused(&problems, DEV_SOURCE)),
    }
}

impl Dev {
    fn flags(&self) -> Vec<Flag> {
        let port = |port: Option<u16>| port.map(|port| port.to_string());
        let given = [
            ("--data", "data.folder", self.data.clone()),
            ("--http-port", "server.http_port", port(self.http_port)),
            ("--https-port", "server.https_port", port(self.https_port)),
            ("--admin-port", "server.admin_port", port(self.admin_port)),
            ("--retry-time-scale", "eventgrid.retry_time_scale", self.retry_time_scale.clone()),
        ];
        let single = given
            .into_iter()
            .filter_map(|(name, path, value)| Some(Flag { name, path, value: value? }));
        let repeated = |name, path, values: &[String]| {
            let flags = values.iter().map(|value| Flag { name, path, value: value.clone() });
            flags.collect::<Vec<_>>()
        };
        let handler = "resource.hub.event_handler.url_template";
        let subscription = "eventgrid.subscription.url";
        single
            .chain(repeated("--event-subscription", subscription, &self.event_subscription))
            .chain(repeated("--event-handler", handler, &self.event_handler))
            .chain(repeated("--anonymous", "resource.hub.anonymous_connect", &self.anonymous))
            .collect()
    }
}

impl Place {
    /// As it was typed, for commands that are about the same server.
    fn typed(&self) -> Vec<(&'static str, String)> {
        let config = self.config.as_ref().map(|file| ("--config", file.display().to_string()));
        self.data.clone().map(|folder| ("--data", folder)).into_iter().chain(config).collect()
    }

    fn config(&self) -> anyhow::Result<Config> {
        match &self.config {
            Some(file) => checked_file(file),
            None => checked_dev(&data_flag(self.data.clone())),
        }
    }
}

fn data_flag(data: Option<String>) -> Vec<Flag> {
    data.map(|value| Flag { name: "--data", path: "data.folder", value }).into_iter().collect()
}

fn start(config: Config, ready_file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    logging::start(config.log)?;
    wait_for(run::run(config, ready_file))
}

fn wait_for(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(work).map(|()| ExitCode::SUCCESS)
}

fn print_trust(data: Option<String>) -> anyhow::Result<ExitCode> {
    let config = checked_dev(&data_flag(data))?;
    let wanted = trust::ca_file(&config.data.folder);
    let ca = std::fs::canonicalize(&wanted).with_context(|| {
        format!(
            "there is no development certificate at {} yet: run `tidings dev` once, or name its \
             data folder with --data",
            wanted.display()
        )
    })?;
    terminal::say(&trust::lines(&ca))?;
    Ok(ExitCode::SUCCESS)
}

fn check_config(file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let (config, problems) = config::check_file(file, &Machine)?;
    let name = file.display().to_string();
    let mut text = config::render(&problems, &name);
    text.push_str(&config::verdict(&problems, &name));
    terminal::say(&text)?;
    Ok(if config.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn checked_file(file: &std::path::Path) -> anyhow::Result<Config> {
    let (config, problems) = config::check_file(file, &Machine)?;
    accepted(config, &problems, &file.display().to_string())
}

fn checked_dev(flags: &[Flag]) -> anyhow::Result<Config> {
    let (config, problems) = config::check_dev(flags, &Machine as &dyn Outside);
    accepted(config, &problems, DEV_SOURCE)
}

/// The configuration, after telling its warnings; without one, a refusal with every problem.
fn accepted(config: Option<Config>, problems: &[Problem], source: &str) -> anyhow::Result<Config> {
    let config = config.ok_or_else(|| refused(problems, source))?;
    terminal::complain(&config::render(problems, source));
    Ok(config)
}

fn refused(problems: &[Problem], source: &str) -> anyhow::Error {
    terminal::complain(&config::render(problems, source));
    anyhow::anyhow!("not started: {}", config::verdict(problems, source).trim_end())
}

/// What problems of the development configuration are said to be in.
const DEV_SOURCE: &str = "development configuration";

#[cfg(test)]
mod tests;
