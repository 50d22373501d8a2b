//! The log on standard error.
//!
//! Our own code follows `log.level`; libraries are held at info, because their debug and trace
//! lines can hold headers, and with them credentials.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat, LogLevel};

/// The crates of this workspace, as they appear in log targets.
const OURS: &[&str] =
    &["kernel", "wire", "auth", "storage", "gateway", "cluster", "edge", "webpubsub", "tidings"];

/// Starts the log of this process. To be called once.
///
/// # Errors
/// When a log was started before.
pub fn start(log: Log) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(targets(log.level));
    let started = match log.format {
        LogFormat::Text => registry.with(lines.with_ansi(io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| anyhow!("the log is already started: {error}"))
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(OURS.iter().map(|target| (*target, level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_write_below_info() {
        let targets = targets(LogLevel::Trace);
        assert!(targets.would_enable("gateway::shard", &Level::TRACE));
        assert!(targets.would_enable("h2::codec", &Level::INFO));
        assert!(!targets.would_enable("h2::codec", &Level::DEBUG));
    }

    #[test]
    fn a_quiet_level_quiets_libraries_too() {
        let targets = targets(LogLevel::Error);
        assert!(!targets.would_enable("h2::codec", &Level::WARN));
        assert!(!targets.would_enable("edge", &Level::WARN));
    }
}
