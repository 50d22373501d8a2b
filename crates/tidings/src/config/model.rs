//! The configuration as the rest of the program sees it: checked, typed and complete.
//!
//! Only `build.rs` makes these values, so a [`Config`] in hand has passed every check. Secrets are
//! [`Secret`]s: a `Config` may be printed with `Debug`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use edge::outbound::Cidr;
use kernel::Secret;
use monitor::table::Retention;
use webpubsub::name::HubName;
pub use webpubsub::upstream::EventHandler;

/// Which form of the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `tidings dev`: loopback, well-known keys, own certificate authority, no file.
    Dev,
    /// `tidings serve`: the production form, from a file.
    Serve,
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which form of the program this is for.
    pub mode: Mode,
    /// Listeners and shutdown.
    pub server: Server,
    /// Where state lives.
    pub data: Data,
    /// The configured certificate. `None` in development, and behind a proxy that ends TLS.
    pub tls: Option<Tls>,
    /// The connection engine.
    pub gateway: Gateway,
    /// Calls to others.
    pub outbound: Outbound,
    /// Events on their way to event handlers.
    pub upstream: Upstream,
    /// Identities and chat.
    pub communication: Communication,
    /// What is written to standard error.
    pub log: Log,
    /// The resources that the configuration owns, with unique names, hosts and endpoints.
    pub resources: Vec<Resource>,
    /// Events to webhooks and browsers.
    pub event_grid: EventGrid,
    /// Push to devices.
    pub notification_hubs: NotificationHubs,
    /// The log tables.
    pub monitor: Monitor,
    /// Whose bearer tokens are taken, in production.
    pub identity_provider: Option<IdentityProvider>,
    /// Where people open the console, and who signs in.
    pub console: super::Console,
    /// What is recorded of each notification, and who else is told.
    pub journeys: super::Journeys,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address of the HTTP and HTTPS listeners.
    pub bind: IpAddr,
    /// Port of plain HTTP, 0 for any free one.
    pub http_port: u16,
    /// Port of HTTPS, 0 for any free one; `None` when there is no certificate to serve with.
    pub https_port: Option<u16>,
    /// Address of the admin listener.
    pub admin_bind: IpAddr,
    /// Port of the admin listener, 0 for any free one.
    pub admin_port: u16,
    /// How long a stopping process waits for connections and requests.
    pub drain: Duration,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// SQLite's file, generated keys and development CA. May not exist yet, may be relative to the
    /// working folder.
    pub folder: PathBuf,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// The secret that encrypts stored keys. [`KeySource::Kept`]: generated, in the data folder.
    pub master_key: KeySource,
    /// Where rows are kept.
    pub database: Database,
}

/// Where rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In a SQLite file of the data folder.
    File,
    /// In a PostgreSQL database, which several servers may share.
    Postgres {
        /// A URL of the right form, perhaps with a password.
        url: Secret,
        /// PEM file of further certificate authorities; readable, and PEM, when it was checked.
        extra_ca: Option<PathBuf>,
    },
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut.
    Full,
    /// A crash of the process; a power cut may lose the last moments.
    Relaxed,
}

/// `[tls]`: both files existed, could be parsed and belonged together when they were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the chain, own certificate first.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Threads that carry connections, 0 for one each core.
    pub shards: usize,
    /// Largest message in either direction, in bytes.
    pub max_message_bytes: usize,
    /// Bytes that may wait for one connection; at least `max_message_bytes`.
    pub outbound_queue_bytes: usize,
    /// Messages that may wait for one connection.
    pub outbound_queue_messages: usize,
    /// Time between pings of a quiet connection.
    pub keep_alive: Duration,
}

/// `[outbound]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Whether every address may be called, private ones included.
    pub allow_private: bool,
    /// Ranges that may be called although they are not public.
    pub allow: Vec<Cidr>,
    /// PEM file of further certificate authorities; readable, and PEM, when it was checked.
    pub extra_ca_file: Option<PathBuf>,
}

/// `[communication]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Communication {
    /// How far the clock of a caller that signs requests may be off.
    pub clock_skew: Duration,
    /// Where clients reach it, if not at the address of the request.
    pub public_endpoint: Option<String>,
    /// How many times the published rate limits are allowed; 0 limits nothing.
    pub rate_limits: u32,
}

/// `[upstream]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upstream {
    /// How long an event handler may take to answer one attempt.
    pub timeout: Duration,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Least important level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// Least important level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// And what may become one.
    Warn,
    /// And what an operator wants to know.
    Info,
    /// And what a developer of Tidings wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for collectors.
    Json,
}

/// `[[resource]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Unique name: `^[a-z][a-z0-9-]{1,62}$`.
    pub name: String,
    /// The service that it belongs to.
    pub kind: ResourceKind,
    /// Lower-case host names without port. Empty: answers every host of its kind.
    pub hosts: Vec<String>,
    /// Lower-case `scheme://authority` without a trailing slash; the first one is shown to people.
    pub public_endpoints: Vec<String>,
    /// The primary access key.
    pub primary_key: KeySource,
    /// The secondary access key.
    pub secondary_key: KeySource,
    /// The hubs with settings of their own, with unique names.
    pub hubs: Vec<Hub>,
}

/// `[[resource.hub]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Which hub; `None` for every one without a table of its own.
    pub name: Option<HubName>,
    /// Whether clients may connect without a token.
    pub anonymous_connect: bool,
    /// Time between pings of a quiet connection; that of the gateway unless the hub has its own.
    pub keep_alive: Duration,
    /// Where its events go: each to the first that wants it.
    pub event_handlers: Vec<EventHandler>,
}

/// `[notification_hubs]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationHubs {
    /// The namespace of requests whose host names none, and of `hubs`.
    pub namespace: String,
    /// Whether policies of a namespace may send.
    pub namespace_may_send: bool,
    /// How long a device is tried again.
    pub delivery_window: Duration,
    /// How long outcomes can be read.
    pub keep_reports: Duration,
    /// Where fake push services stand in for Google, if they do.
    pub fake_push: Option<String>,
    /// The hubs that the configuration owns, with unique names.
    pub hubs: Vec<NotificationHub>,
}

/// `[[notification_hubs.hub]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationHub {
    /// The name.
    pub name: String,
    /// Credentials for push services, as JSON.
    pub credentials: Option<Secret>,
}

/// `[monitor]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// Whether the log tables are written.
    pub log_tables: bool,
    /// How long rows are kept.
    pub retention: Retention,
    /// Rows that each table takes in a second; at least one.
    pub rows_per_second: u32,
}

/// `[identity_provider]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The `iss` of its tokens; a URL.
    pub issuer: String,
    /// One of these is the `aud` of a token; at least one.
    pub audiences: Vec<String>,
    /// Stands in the `roles` of a token.
    pub role: Option<String>,
    /// Where its keys are, when they are not found by discovery.
    pub keys_url: Option<String>,
}

/// `[eventgrid]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventGrid {
    /// What every pause and time to live is multiplied by.
    pub retry_time_scale: Factor,
    /// The pauses between attempts; empty for those of Azure.
    pub retry_delays: Vec<Duration>,
    /// Of which a random part is added to each pause.
    pub retry_jitter: Duration,
    /// The statuses that are not tried again; `None` for those of Azure.
    pub give_up_statuses: Option<Vec<u16>>,
    /// Failures in a row before a webhook is left alone for a while.
    pub failures_before_probation: u32,
    /// How long a webhook may take to answer.
    pub timeout: Duration,
    /// Requests to one event subscription at a time.
    pub attempts_at_a_time: usize,
    /// Where dead letters are written.
    pub dead_letter_folder: PathBuf,
    /// The largest body of a publication.
    pub max_request_bytes: usize,
    /// Publications that are worked on at a time.
    pub max_publishes_at_a_time: usize,
    /// How long somebody has to open a validation URL.
    pub validation_window: Duration,
    /// Who Tidings is to webhooks that take CloudEvents.
    pub origin: String,
    /// The topics that the configuration owns, with unique names and hosts.
    pub topics: Vec<Topic>,
    /// The event subscriptions that the configuration owns.
    pub subscriptions: Vec<EventSubscription>,
}

/// A factor, in millionths so that configurations can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// How many millionths of one.
    pub millionths: u64,
}

impl Factor {
    /// As a number.
    pub fn as_f64(self) -> f64 {
        // At most a thousand times a million, which a double holds exactly.
        self.millionths as f64 / 1_000_000.0
    }
}

/// `[[eventgrid.topic]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Unique name.
    pub name: String,
    /// Lower-case host names without port.
    pub hosts: Vec<String>,
    /// `properties` of the topic as a management call has them, JSON text.
    pub properties: String,
    /// The first key.
    pub key1: KeySource,
    /// The second key; given if the first one is.
    pub key2: KeySource,
}

/// `[[eventgrid.subscription]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSubscription {
    /// Unique for its source.
    pub name: String,
    /// Whose events it gets.
    pub source: EventSource,
    /// `properties` of the event subscription as a management call has them, JSON text; its URL may
    /// hold a secret.
    pub properties: Secret,
}

/// Whose events an event subscription gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    /// Those published to the topic of this name.
    Topic(String),
    /// Those of the resource of this name.
    Resource(String),
}

/// The service that a resource belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// Web PubSub.
    WebPubSub,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Generated on the first start and kept; `tidings keys rotate` replaces it.
    Kept,
    /// Development only: this value is kept on the first start and may be rotated like any other.
    Seeded(Secret),
    /// The configuration owns the key; it can be changed only where it comes from.
    Given {
        /// The key, checked for length and characters.
        secret: Secret,
        /// Where it comes from, for messages: `file keys/chat` or `environment variable CHAT_KEY`.
        origin: String,
    },
}

/// The primary key of every resource of `tidings dev`. Public on purpose, so that connection
/// strings can be checked in; works on loopback only, and `tidings serve` refuses it. It has the
/// form of an Azure key: the base64 of 32 bytes.
pub const DEVELOPMENT_PRIMARY_KEY: &str = "tidingsDevelopmentKeyPrimaryNotASecret00000=";

/// The secondary counterpart of [`DEVELOPMENT_PRIMARY_KEY`].
pub const DEVELOPMENT_SECONDARY_KEY: &str = "tidingsDevelopmentKeySecondaryNotASecret000=";

/// The name of the one resource of each kind in `tidings dev`.
pub const DEVELOPMENT_RESOURCE: &str = "local";

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn development_keys_have_the_form_of_azure_keys_and_differ() {
        for key in [DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY] {
            assert_eq!(key.len(), 44);
            assert_eq!(STANDARD.decode(key).unwrap().len(), 32);
        }
        assert_ne!(DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY);
    }
}
