//! The running server.

use std::path::PathBuf;

use crate::config::Config;

/// Serves until the process is told to stop.
///
/// # Errors
/// When the server cannot start, or does not stop cleanly.
pub async fn run(_config: Config, _ready_file: Option<PathBuf>) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet")
}
