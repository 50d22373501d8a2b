//! From settings to a [`Config`]: types, defaults, and the checks that need several keys.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use monitor::table::Retention;

use super::Context;
use super::certificate;
use super::file::Table;
use super::layers::Settings;
use super::model::{
    Communication, Config, Data, Durability, Gateway, Log, LogFormat, LogLevel, Mode, Monitor,
    Outbound, Server, Tls, Upstream,
};
use super::outside::Outside;
use super::problem::{Place, Problem};
use super::secrets::Named;
use super::table;

/// Collects problems while a configuration is put together.
pub(super) struct Builder<'a> {
    pub(super) mode: Mode,
    pub(super) outside: &'a dyn Outside,
    pub(super) problems: &'a mut Vec<Problem>,
    base: &'a Path,
}

impl<'a> Builder<'a> {
    pub(super) fn new(context: &Context<'a>, problems: &'a mut Vec<Problem>) -> Self {
        Self { mode: context.mode, outside: context.outside, problems, base: context.base }
    }

    /// The configuration that the settings describe. It may be used only when no problem found so
    /// far is an error: after an error, stand-ins fill the gaps.
    pub(super) fn config(&mut self, settings: &Settings, tables: &[Table]) -> Config {
        let (resources, others): (Vec<Table>, Vec<Table>) =
            tables.iter().cloned().partition(|table| table.section == table::RESOURCE);
        let tls = self.tls(settings);
        let server = self.server(settings, tls.is_some());
        self.gateway_bounds(settings);
        let keep_alive = seconds(settings, "gateway.keep_alive_seconds");
        let webs = self.resources(&resources, keep_alive);
        Config {
            mode: self.mode,
            server,
            data: self.data(settings),
            tls,
            gateway: gateway(settings),
            outbound: self.outbound(settings),
            upstream: Upstream { timeout: seconds(settings, "upstream.timeout_seconds") },
            communication: Communication {
                clock_skew: seconds(settings, "communication.clock_skew_seconds"),
                public_endpoint: settings.text("communication.public_endpoint").map(str::to_owned),
                rate_limits: u32::try_from(settings.integer("communication.rate_limits"))
                    .unwrap_or(u32::MAX),
            },
            log: log(settings),
            console: self.console(settings, &webs),
            resources: webs,
            event_grid: self.event_grid(settings, &others, &resources),
            notification_hubs: self.notification_hubs(settings, &others),
            identity_provider: self.identity_provider(settings),
            journeys: self.journeys(settings),
            monitor: monitor(settings),
        }
    }

    pub(super) fn error(&mut self, place: &Place, message: String, help: impl Into<String>) {
        self.problems.push(Problem::error(place, message, help));
    }

    /// The text of a file that the key at `path` names, or a problem.
    pub(super) fn read(&mut self, path: &str, file: &str, place: &Place) -> Option<String> {
        let resolved = self.resolve(file, place);
        let reason = match self.outside.read(&resolved) {
            Ok(text) => return Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "which does not exist".to_owned()
            }
            Err(error) => format!("which cannot be read: {error}"),
        };
        self.error(
            place,
            format!("{path} names {}, {reason}", resolved.display()),
            "check the path and its permissions; relative paths start at the configuration file",
        );
        None
    }

    /// Paths in the file start at the file's folder, others at the working folder.
    pub(super) fn resolve(&self, path: &str, place: &Place) -> PathBuf {
        match place {
            Place::File { .. } => self.base.join(path),
            Place::Environment(_) | Place::Flag(_) | Place::Default => PathBuf::from(path),
        }
    }

    fn tls(&mut self, settings: &Settings) -> Option<Tls> {
        let (chain_path, key_path) = ("tls.certificate", "tls.key");
        let (certificate, key) = match (settings.text(chain_path), settings.text(key_path)) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return None,
            (given, _) => {
                let (given, missing) =
                    if given.is_some() { (chain_path, key_path) } else { (key_path, chain_path) };
                self.error(
                    &settings.place(given),
                    format!("{given} is given without {missing}"),
                    "HTTPS needs the certificate and its private key: give both or none",
                );
                return None;
            }
        };
        let (chain_at, key_at) = (settings.place(chain_path), settings.place(key_path));
        let chain = self.read(chain_path, certificate, &chain_at);
        let private = self.read(key_path, key, &key_at);
        let chain = chain.and_then(|pem| {
            self.note(certificate::check_chain(&pem), chain_path, certificate, &chain_at)
        });
        let private =
            private.and_then(|pem| self.note(certificate::check_key(&pem), key_path, key, &key_at));
        if let (Some(chain), Some(private)) = (chain, private)
            && let Err(reason) = certificate::check_pair(chain, private)
        {
            self.error(&key_at, reason, "give the key that the certificate was made for");
        }
        Some(Tls {
            certificate: self.resolve(certificate, &chain_at),
            key: self.resolve(key, &key_at),
        })
    }

    fn note<T>(
        &mut self,
        result: Result<T, String>,
        path: &str,
        file: &str,
        at: &Place,
    ) -> Option<T> {
        result
            .map_err(|reason| {
                let help = "give a PEM file: text with -----BEGIN … and -----END … lines";
                self.error(at, format!("{path} names {file}, but {reason}"), help);
            })
            .ok()
    }

    fn server(&mut self, settings: &Settings, has_certificate: bool) -> Server {
        let bind = address(settings, "server.bind");
        if self.mode == Mode::Dev && !bind.is_loopback() {
            self.error(
                &settings.place("server.bind"),
                format!("development listens on loopback only, not on {bind}"),
                "its keys are public; use `tidings serve` to be reached from other machines",
            );
        }
        let https = self.mode == Mode::Dev || has_certificate;
        if !https {
            self.no_https(settings);
        }
        let server = Server {
            bind,
            http_port: port(settings, "server.http_port"),
            https_port: https.then(|| port(settings, "server.https_port")),
            admin_bind: address(settings, "server.admin_bind"),
            admin_port: port(settings, "server.admin_port"),
            drain: seconds(settings, "server.drain_seconds"),
        };
        self.distinct_ports(settings, &server);
        server
    }

    /// Plain HTTP alone is right behind a proxy, but nobody who asks for HTTPS may get less.
    fn no_https(&mut self, settings: &Settings) {
        let half_given =
            ["tls.certificate", "tls.key"].iter().any(|path| settings.text(path).is_some());
        let place = settings.place("server.https_port");
        let help = "name the files in [tls]: certificate = \"…\" and key = \"…\"; or let a proxy \
                    in front end TLS and leave https_port out";
        if half_given {
            // The half is an error of its own.
        } else if place == Place::Default {
            let message = "no certificate is given, so only plain HTTP is served";
            self.problems.push(Problem::warning(&place, message.to_owned(), help));
        } else {
            let message = "server.https_port is set, but no certificate is given";
            self.error(&place, message.to_owned(), help);
        }
    }

    fn distinct_ports(&mut self, settings: &Settings, server: &Server) {
        let mut seen: Vec<(&str, IpAddr, u16)> = Vec::new();
        let listeners = [
            ("server.http_port", server.bind, Some(server.http_port)),
            ("server.https_port", server.bind, server.https_port),
            ("server.admin_port", server.admin_bind, server.admin_port.into()),
        ];
        for (path, bind, port) in listeners {
            let Some(port) = port.filter(|port| *port != 0) else { continue };
            let clash = seen.iter().find(|(_, other_bind, other)| {
                *other == port
                    && (*other_bind == bind || other_bind.is_unspecified() || bind.is_unspecified())
            });
            if let Some((other, ..)) = clash {
                // Point at the one that somebody wrote.
                let at = [path, other].map(|path| settings.place(path)).into_iter().min();
                self.error(
                    &at.expect("two places"),
                    format!("{other} and {path} are both {port}"),
                    "give each listener a port of its own, or 0 for a free one",
                );
            }
            seen.push((path, bind, port));
        }
    }

    fn data(&mut self, settings: &Settings) -> Data {
        let durability = match settings.text("data.durability") {
            Some("relaxed") => Durability::Relaxed,
            _ => Durability::Full,
        };
        let master_key = self.secret(settings, &MASTER_KEY);
        let database = self.database(settings);
        Data { folder: self.data_folder(settings), durability, master_key, database }
    }

    pub(super) fn data_folder(&self, settings: &Settings) -> PathBuf {
        let folder = settings.text("data.folder").expect("the data folder has a default");
        self.resolve(folder, &settings.place("data.folder"))
    }

    fn outbound(&mut self, settings: &Settings) -> Outbound {
        let extra_ca_file = self.extra_ca(settings, "outbound.extra_ca_file");
        let ranges = settings.list("outbound.allow").iter();
        Outbound {
            allow_private: settings.boolean("outbound.allow_private"),
            allow: ranges
                .map(|(text, _)| text.parse().expect("ranges were checked when they were read"))
                .collect(),
            extra_ca_file,
        }
    }

    /// The PEM file of further certificate authorities that the key at `path` names.
    pub(super) fn extra_ca(&mut self, settings: &Settings, path: &str) -> Option<PathBuf> {
        let at = settings.place(path);
        settings.text(path).map(|file| {
            let pem = self.read(path, file, &at);
            pem.map(|pem| self.note(certificate::check_chain(&pem), path, file, &at));
            self.resolve(file, &at)
        })
    }

    fn gateway_bounds(&mut self, settings: &Settings) {
        let queue = settings.integer("gateway.outbound_queue_bytes");
        let message = settings.integer("gateway.max_message_bytes");
        if queue < message {
            let paths = ["gateway.outbound_queue_bytes", "gateway.max_message_bytes"];
            let at = paths.map(|path| settings.place(path)).into_iter().min();
            self.error(
                &at.expect("two places"),
                format!("{} is {queue}, less than {}, which is {message}", paths[0], paths[1]),
                "the queue must hold at least one message of the largest size",
            );
        }
    }
}

fn gateway(settings: &Settings) -> Gateway {
    let size = |path| usize::try_from(settings.integer(path)).expect("bounds fit a machine word");
    Gateway {
        shards: size("gateway.shards"),
        max_message_bytes: size("gateway.max_message_bytes"),
        outbound_queue_bytes: size("gateway.outbound_queue_bytes"),
        outbound_queue_messages: size("gateway.outbound_queue_messages"),
        keep_alive: seconds(settings, "gateway.keep_alive_seconds"),
    }
}

fn monitor(settings: &Settings) -> Monitor {
    let rows = settings.integer("monitor.rows_per_second");
    Monitor {
        log_tables: settings.boolean("monitor.log_tables"),
        retention: Retention {
            age: Duration::from_hours(24 * settings.integer("monitor.keep_days")),
            bytes: settings.integer("monitor.keep_megabytes") * 1_000_000,
        },
        rows_per_second: u32::try_from(rows).unwrap_or(u32::MAX),
    }
}

fn log(settings: &Settings) -> Log {
    let level = match settings.text("log.level") {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("debug") => LogLevel::Debug,
        Some("trace") => LogLevel::Trace,
        _ => LogLevel::Info,
    };
    let format = match settings.text("log.format") {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    Log { level, format }
}

fn address(settings: &Settings, path: &str) -> IpAddr {
    let text = settings.text(path).expect("every address has a default");
    text.parse().expect("addresses were checked when they were read")
}

fn port(settings: &Settings, path: &str) -> u16 {
    u16::try_from(settings.integer(path)).expect("ports were checked when they were read")
}

pub(super) fn seconds(settings: &Settings, path: &str) -> Duration {
    Duration::from_secs(settings.integer(path))
}

const MASTER_KEY: Named =
    Named { file: "data.master_key_file", variable: "data.master_key_env", is_access_key: false };
