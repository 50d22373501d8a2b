//! The commands that work on access keys.

use crate::config::Config;

/// One of the two keys of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// The key that connection strings carry unless asked otherwise.
    Primary,
    /// The key that clients use while the primary one is replaced.
    Secondary,
}

/// Prints a key.
///
/// # Errors
/// For an unknown resource or an unreadable store.
pub async fn show(_config: &Config, _resource: &str, _which: Which) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet")
}

/// Replaces a key by a new one and prints it.
///
/// # Errors
/// For an unknown resource, an unreadable store, or a key that the configuration owns.
pub async fn rotate(_config: &Config, _resource: &str, _which: Which) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet")
}

/// Prints a connection string, for `endpoint` if given.
///
/// # Errors
/// For an unknown resource or an unreadable store.
pub async fn connection_string(
    _config: &Config,
    _resource: &str,
    _which: Which,
    _endpoint: Option<&str>,
) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet")
}
