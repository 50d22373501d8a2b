//! The configuration: what can be set, how it is checked, and how it is explained.
//!
//! Layers, later ones winning: defaults, `tidings.toml`, the environment (`TIDINGS_SERVER_HTTP_PORT`
//! sets `http_port` of `[server]`), flags. `tidings dev` reads no file, so that a production file
//! in the working folder never changes it.
//!
//! - `table.rs`: every key, once; everything below follows it
//! - `value.rs`, `names.rs`: one value against its kind
//! - `file.rs`, `layers.rs`: the layers, with the place of every value
//! - `dev_hubs.rs`: what the flags of `tidings dev` say about hubs, as tables of a file
//! - `dev_topics.rs`: the same for the topic of development and its event subscriptions
//! - `build.rs`, `database.rs`, `resource.rs`, `hub.rs`, `event_grid.rs`, `console.rs`, `secrets.rs`,
//!   `certificate.rs`: checks that need more than one key
//! - `model.rs`: the result; `problem.rs`: what is wrong, where, and the cure
//! - `document.rs`: the table as text for people
//! - `outside.rs`: files and variables, behind a trait
//!
//! Invariant: a [`Config`] exists only if its check found no error.

mod build;
mod certificate;
mod console;
mod database;
mod dev_hubs;
mod dev_topics;
mod document;
mod event_grid;
mod file;
mod hub;
mod identity_provider;
mod journeys;
mod layers;
mod model;
mod names;
mod notification_hubs;
mod outside;
mod problem;
mod resource;
mod secrets;
mod table;
mod value;

use std::path::Path;

use anyhow::Context as _;

pub use console::{Console, Oidc};
pub use document::{explain, print};
pub use journeys::{Collector, Journeys};
pub use layers::Flag;
pub use model::{
    Communication, Config, DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_RESOURCE,
    DEVELOPMENT_SECONDARY_KEY, Data, Database, Durability, EventGrid, EventHandler, EventSource,
    EventSubscription, Factor, Gateway, Hub, IdentityProvider, KeySource, Log, LogFormat, LogLevel,
    Mode, Monitor, NotificationHub, NotificationHubs, Outbound, Resource, ResourceKind, Server,
    Tls, Topic, Upstream,
};
pub use outside::{Machine, Outside};
pub use problem::{Place, Problem, Severity, has_errors, render, verdict};

use build::Builder;
use layers::Settings;

/// What a check needs besides the text of the file.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Which form of the program the configuration is for.
    pub mode: Mode,
    /// The folder of the file, where its relative paths start.
    pub base: &'a Path,
    /// What the command line sets.
    pub flags: &'a [Flag],
    /// Files and variables.
    pub outside: &'a dyn Outside,
}

/// Checks a configuration: the text of its file (empty for none) and the layers of `context`.
/// Returns every problem, in the order of the file; the configuration only if none is an error.
pub fn check(text: &str, context: &Context<'_>) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    let (settings, tables) = layered(text, context, &mut problems);
    let config = Builder::new(context, &mut problems).config(&settings, &tables);
    problems.sort_by(|left, right| left.place.cmp(&right.place));
    ((!has_errors(&problems)).then_some(config), problems)
}

/// Checks the configuration of `tidings dev`.
pub fn check_dev(flags: &[Flag], outside: &dyn Outside) -> (Option<Config>, Vec<Problem>) {
    check("", &Context { mode: Mode::Dev, base: Path::new(""), flags, outside })
}

/// Reads and checks a file for `tidings serve`.
///
/// # Errors
/// When the file cannot be read at all; what is wrong inside is returned as problems.
pub fn check_file(
    file: &Path,
    outside: &dyn Outside,
) -> anyhow::Result<(Option<Config>, Vec<Problem>)> {
    let text = outside
        .read(file)
        .with_context(|| format!("cannot read the configuration {}", file.display()))?;
    let base = file.parent().unwrap_or(Path::new(""));
    Ok(check(&text, &Context { mode: Mode::Serve, base, flags: &[], outside }))
}

/// The normal form of an endpoint that someone typed: lower case, without a trailing slash.
///
/// # Errors
/// When it is not a scheme and an authority.
pub fn endpoint(text: &str) -> anyhow::Result<String> {
    names::endpoint(text).map_err(|reason| {
        anyhow::anyhow!(
            "the endpoint cannot be used: {reason}; give scheme, host and perhaps a port, such as \
             https://chat.example.com"
        )
    })
}

fn layered(
    text: &str,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> (Settings, Vec<file::Table>) {
    let mut settings = Settings::defaults(context.mode);
    let mut tables = file::apply_file(&mut settings, text, problems);
    layers::apply_environment(&mut settings, context.mode, context.outside, problems);
    layers::apply_flags(&mut settings, context.flags, problems);
    if context.mode == Mode::Dev {
        tables = vec![dev_hubs::resource(context.flags, problems)];
        tables.extend(dev_topics::tables(context.flags, problems));
    }
    (settings, tables)
}

#[cfg(test)]
mod tests;
