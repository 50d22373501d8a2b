//! How a database server is reached, from its URL and the options beside it.

use std::path::PathBuf;
use std::time::Duration;

use kernel::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::{Durability, Error, Result};

/// How a PostgreSQL database is used. Its server is of version 13 or newer; a pooler between must keep
/// sessions.
///
/// The `sslmode` of the URL decides on TLS: `disable`; `prefer`, which encrypts when the server can and
/// does not ask who it is (the default, as everywhere); `require`, `verify-ca` and `verify-full`, which
/// all want a certificate for the host's name by an authority that the system or
/// [`PostgresOptions::extra_ca`] knows.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Connections that write. At least one.
    pub writers: usize,
    /// Connections that read. At least one.
    pub readers: usize,
    /// Writes, and separately reads, that may be under way; a caller beyond them waits for a place.
    pub queue: usize,
    /// How long a write waits for a lock, and how long something that came to nothing (a lost race,
    /// an unreachable server) is tried again.
    pub patience: Duration,
    /// How long opening one connection may take.
    pub connect_timeout: Duration,
    /// A PEM file with certificates to trust beside those of the system.
    pub extra_ca: Option<PathBuf>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            writers: 8,
            readers: 8,
            queue: 1024,
            patience: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            extra_ca: None,
        }
    }
}

impl PostgresOptions {
    /// Whether a URL is one that [`crate::Db::connect`] can use, without asking its server.
    ///
    /// # Errors
    /// What is wrong with the URL, without any value of it.
    pub fn check_url(url: &Secret) -> Result<(), String> {
        config(url.expose()).map(drop)
    }
}

/// A server to connect to.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// For errors: host, port and database.
    pub(super) name: String,
}

impl Target {
    pub(super) fn parse(url: &Secret, options: &PostgresOptions) -> Result<Self> {
        let parsed = config(url.expose());
        // What the parser says names a key of the URL, never a value.
        let mut config = parsed.map_err(|reason| cannot_use("of the database URL", reason))?;
        let name = name(&config);
        config.connect_timeout(options.connect_timeout);
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("tidings");
        }
        let tls = tls::connector(config.get_ssl_mode(), options.extra_ca.as_deref())
            .map_err(|reason| cannot_use(&name, reason))?;
        Ok(Self { config, tls, name })
    }
}

/// Reads a URL. The parser knows three modes of TLS; here the last one verifies everything, so the
/// stricter ones of other clients are the same.
fn config(url: &str) -> Result<Config, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("it must begin with postgres://".to_owned());
    }
    let url = match url.split_once('?') {
        None => url.to_owned(),
        Some((place, query)) => {
            let query = query.split('&').map(|pair| match pair {
                "sslmode=verify-ca" | "sslmode=verify-full" => "sslmode=require",
                "sslmode=allow" => "sslmode=prefer",
                other => other,
            });
            format!("{place}?{}", query.collect::<Vec<_>>().join("&"))
        }
    };
    let config: Config = url.parse().map_err(|e| super::failure::with_causes(&e))?;
    if config.get_hosts().is_empty() {
        return Err("it names no host".to_owned());
    }
    Ok(config)
}

fn name(config: &Config) -> String {
    let ports = config.get_ports();
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = ports.first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{host}:{port}/{database}")
}

fn cannot_use(server: &str, reason: String) -> Error {
    Error::Server { server: server.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    fn target(url: &str) -> Result<Target> {
        Target::parse(&Secret::new(url), &PostgresOptions::default())
    }

    #[test]
    fn the_modes_of_tls_are_those_of_other_clients() {
        for (query, mode) in [
            ("", SslMode::Prefer),
            ("?sslmode=disable", SslMode::Disable),
            ("?sslmode=allow", SslMode::Prefer),
            ("?sslmode=prefer", SslMode::Prefer),
            ("?sslmode=require&connect_timeout=9", SslMode::Require),
            ("?connect_timeout=9&sslmode=verify-ca", SslMode::Require),
            ("?sslmode=verify-full", SslMode::Require),
        ] {
            let target = target(&format!("postgres://me:pw@db.example/tidings{query}")).unwrap();
            assert_eq!(target.config.get_ssl_mode(), mode, "{query}");
            assert_eq!(target.name, "db.example:5432/tidings");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_its_password() {
        for (url, says) in [
            ("mysql://me:hunter2@db/tidings", "must begin with postgres://"),
            ("postgres://me:hunter2@db/tidings?sslmode=perhaps", "sslmode"),
            ("postgres://me:hunter2@db/tidings?colour=red", "colour"),
            ("postgres://me:hunter2@db:port/tidings", "port"),
        ] {
            let Err(Error::Server { server, reason }) = target(url) else { panic!("{url}") };
            assert!(reason.contains(says), "{url}: {reason}");
            assert!(!format!("{server} {reason}").contains("hunter2"), "{reason}");
        }
    }
}
