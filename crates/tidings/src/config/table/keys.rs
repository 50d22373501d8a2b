//! Every key, every section, and every name that is refused, as data.

use super::{
    EVENT_GRID, EVENT_HANDLER, EVENT_SUBSCRIPTION, HUB, Key, Kind, Literal, Modes,
    NOTIFICATION_HUB, NOTIFICATION_HUBS, Preset, RESOURCE, TOPIC,
};
use super::{console, event_grid, identity_provider, journeys, monitor, notification_hubs};

/// The sections in the order in which they are printed, with a sentence each.
pub(in super::super) const SECTIONS: &[(&str, &str)] = &[
    ("server", "Where Tidings listens and how it stops."),
    ("data", "Where state lives and how it is protected."),
    ("tls", "The certificate of the HTTPS listener. `tidings dev` makes its own."),
    ("gateway", "The connection engine."),
    ("outbound", "Calls from Tidings to others, such as event handlers: where they may go."),
    ("upstream", "Events on their way to event handlers."),
    (EVENT_GRID, "Events to webhooks and browsers: limits, retries, dead letters."),
    (NOTIFICATION_HUBS, "Push to devices: limits and the namespace."),
    ("communication", "The Communication Services: identities and chat."),
    (
        "monitor",
        "The log tables: what is kept of requests, connections and failures, and how long.",
    ),
    (
        "identity_provider",
        "Whose bearer tokens publish, manage and query, beside the keys of this server.",
    ),
    ("console", "The console: where people open it, and who signs in with an identity provider."),
    ("journeys", "What becomes of each message, event, push and call: what is recorded and kept."),
    ("telemetry", "OpenTelemetry: who gets journeys as spans."),
    ("log", "What is written to standard error."),
    (RESOURCE, "One table for each resource. `tidings dev` has one of each kind, named local."),
    (HUB, "Below a webpubsub resource, one table for each hub with settings of its own."),
    (
        EVENT_HANDLER,
        "Below a hub, one table for each event handler. The first one that wants an event gets it.",
    ),
    (
        TOPIC,
        "One table for each topic that applications publish to. `tidings dev` has one, named local.",
    ),
    (
        EVENT_SUBSCRIPTION,
        "One table for each event subscription. Others can be made by management calls.",
    ),
    (
        NOTIFICATION_HUB,
        "One table for each notification hub. `tidings dev` has one, named local; others can be made \
         by management calls.",
    ),
];

/// Names that are not keys but that people try, with the way out.
pub(in super::super) const REFUSED: &[(&str, &str)] = &[
    ("resource.primary_key", LITERAL_KEY_CURE),
    ("resource.secondary_key", LITERAL_KEY_CURE),
    ("data.master_key", LITERAL_KEY_CURE),
    ("resource.hub.event_handler.bearer_token", LITERAL_TOKEN_CURE),
    ("console.client_secret", LITERAL_SECRET_CURE),
    ("eventgrid.topic.key1", LITERAL_KEY_CURE),
    ("eventgrid.topic.key2", LITERAL_KEY_CURE),
];

const LITERAL_TOKEN_CURE: &str = "a token written here leaks with the file: put it in a file of \
    its own or in an environment variable, and name that with bearer_token_file or bearer_token_env";

const LITERAL_SECRET_CURE: &str = "a secret written here leaks with the file: put it in a file of \
    its own or in an environment variable, and name that with client_secret_file or \
    client_secret_env";

const LITERAL_KEY_CURE: &str = "a key written here leaks with the file: put it in a file of its \
    own or in an environment variable, and name that with the same key plus _file or _env; or \
    leave it out, and Tidings generates one and keeps it in the store";

/// The smallest outbound queue also holds one message of the largest size; see `build.rs`.
const MIB: u64 = 1024 * 1024;

/// Every key, in the order in which it is printed.
pub(in super::super) const KEYS: &[Key] = &{
    const PARTS: [&[Key]; 7] = [
        GENERAL,
        event_grid::KEYS,
        notification_hubs::KEYS,
        monitor::KEYS,
        identity_provider::KEYS,
        console::KEYS,
        journeys::KEYS,
    ];
    const COUNT: usize = {
        let (mut count, mut part) = (0, 0);
        while part < PARTS.len() {
            count += PARTS[part].len();
            part += 1;
        }
        count
    };
    let mut keys = [GENERAL[0]; COUNT];
    let (mut part, mut at, mut next) = (0, 0, 0);
    while next < keys.len() {
        if at == PARTS[part].len() {
            (part, at) = (part + 1, 0);
        } else {
            keys[next] = PARTS[part][at];
            (at, next) = (at + 1, next + 1);
        }
    }
    keys
};

/// The keys of everything that has no file of its own.
const GENERAL: &[Key] = &[
    Key {
        path: "server.bind",
        kind: Kind::Address,
        preset: Preset::ByMode { dev: Literal::Text("127.0.0.1"), serve: Literal::Text("0.0.0.0") },
        modes: Modes::Both,
        doc: "The IP address of the HTTP and HTTPS listeners. Development stays on loopback, \
              because its keys are public; production listens on every address.",
    },
    Key {
        path: "server.http_port",
        kind: Kind::Port,
        preset: Preset::Always(Literal::Integer(8080)),
        modes: Modes::Both,
        doc: "The port of the plain HTTP listener. 0 picks a free port, which the ready file tells.",
    },
    Key {
        path: "server.https_port",
        kind: Kind::Port,
        preset: Preset::Always(Literal::Integer(8443)),
        modes: Modes::Both,
        doc: "The port of the HTTPS listener. 0 picks a free port. `tidings serve` opens it only \
              when [tls] names a certificate; without one it serves plain HTTP, which is right \
              behind a proxy that ends TLS.",
    },
    Key {
        path: "server.admin_bind",
        kind: Kind::Address,
        preset: Preset::Always(Literal::Text("127.0.0.1")),
        modes: Modes::Both,
        doc: "The IP address of the admin listener, which answers /metrics, /healthz and /readyz \
              without credentials. Keep it on loopback or on a private network.",
    },
    Key {
        path: "server.admin_port",
        kind: Kind::Port,
        preset: Preset::ByMode { dev: Literal::Integer(8081), serve: Literal::Integer(9464) },
        modes: Modes::Both,
        doc: "The port of the admin listener. 0 picks a free port. The production default is the \
              usual port of a Prometheus exporter.",
    },
    Key {
        path: "server.drain_seconds",
        kind: Kind::Integer { min: 0, max: 3600, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(10)),
        modes: Modes::Both,
        doc: "How long a stopping process waits for its connections to close (code 1001) and its \
              requests to finish before it exits anyway.",
    },
    Key {
        path: "data.folder",
        kind: Kind::Path,
        preset: Preset::ByMode {
            dev: Literal::Text(".tidings"),
            serve: Literal::Text("/var/lib/tidings"),
        },
        modes: Modes::Both,
        doc: "The folder of the database, unless there is a database_url, of generated keys and the \
              development CA. Development \
              keeps it in the working folder, so that each project and each CI job has its own, \
              sees it, and is rid of it by deleting it.",
    },
    Key {
        path: "data.durability",
        kind: Kind::Choice(&["full", "relaxed"]),
        preset: Preset::Always(Literal::Text("full")),
        modes: Modes::Both,
        doc: "full: an acknowledged write survives a power cut. relaxed: it survives a crash of \
              the process, but a power cut may lose the last moments; faster on slow disks.",
    },
    Key {
        path: "data.master_key_file",
        kind: Kind::Path,
        preset: Preset::Absent("generated on the first start and kept in the data folder"),
        modes: Modes::Both,
        doc: "A file with the secret that encrypts stored keys, at least 32 characters. Keep it \
              away from the data folder's backups, and never change it without the old one.",
    },
    Key {
        path: "data.master_key_env",
        kind: Kind::Variable,
        preset: Preset::Absent("generated on the first start and kept in the data folder"),
        modes: Modes::Both,
        doc: "The name of an environment variable with that secret, instead of a file.",
    },
    Key {
        path: "data.database_url",
        kind: Kind::Text,
        preset: Preset::Absent("SQLite, in a file of the data folder"),
        modes: Modes::ServeOnly,
        doc: "The PostgreSQL database to keep everything in, of version 13 or newer: \
              postgres://user:password@host:port/name, whose user may create tables. Several \
              servers may share it; they need the same master key. With sslmode=require the \
              server must prove who it is; sslmode=disable does without TLS. A URL with a password \
              does not belong into the file: set the variable, or use one of the next two keys.",
    },
    Key {
        path: "data.database_url_file",
        kind: Kind::Path,
        preset: Preset::Absent("SQLite, in a file of the data folder"),
        modes: Modes::ServeOnly,
        doc: "A file with that URL.",
    },
    Key {
        path: "data.database_url_env",
        kind: Kind::Variable,
        preset: Preset::Absent("SQLite, in a file of the data folder"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with that URL, such as DATABASE_URL.",
    },
    Key {
        path: "data.database_extra_ca",
        kind: Kind::Path,
        preset: Preset::Absent("the authorities that the system trusts"),
        modes: Modes::ServeOnly,
        doc: "A PEM file with certificate authorities to trust, besides those of the system, when \
              the database server shows its certificate.",
    },
    Key {
        path: "tls.certificate",
        kind: Kind::Path,
        preset: Preset::Absent("no HTTPS listener"),
        modes: Modes::ServeOnly,
        doc: "A PEM file with the certificate chain, own certificate first. It is read again when \
              it changes.",
    },
    Key {
        path: "tls.key",
        kind: Kind::Path,
        preset: Preset::Absent("no HTTPS listener"),
        modes: Modes::ServeOnly,
        doc: "A PEM file with the private key of that certificate. It is read again when it \
              changes.",
    },
    Key {
        path: "gateway.shards",
        kind: Kind::Integer { min: 0, max: 1024, unit: "threads" },
        preset: Preset::Always(Literal::Integer(0)),
        modes: Modes::Both,
        doc: "How many threads carry the live connections. 0 means one for each core.",
    },
    Key {
        path: "gateway.max_message_bytes",
        kind: Kind::Integer { min: 1024, max: 64 * MIB, unit: "bytes" },
        preset: Preset::Always(Literal::Integer(MIB)),
        modes: Modes::Both,
        doc: "The largest message that a client may send or a publisher may hand in. Azure's \
              limit is one MiB.",
    },
    Key {
        path: "gateway.outbound_queue_bytes",
        kind: Kind::Integer { min: 64 * 1024, max: 1024 * MIB, unit: "bytes" },
        preset: Preset::Always(Literal::Integer(4 * MIB)),
        modes: Modes::Both,
        doc: "How much may wait for one slow connection before it is closed (code 1008). It must \
              hold at least one message of gateway.max_message_bytes.",
    },
    Key {
        path: "gateway.outbound_queue_messages",
        kind: Kind::Integer { min: 1, max: 1_000_000, unit: "messages" },
        preset: Preset::Always(Literal::Integer(4096)),
        modes: Modes::Both,
        doc: "How many messages may wait for one slow connection before it is closed (code 1008).",
    },
    Key {
        path: "gateway.keep_alive_seconds",
        kind: Kind::Integer { min: 1, max: 3600, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(20)),
        modes: Modes::Both,
        doc: "How often a quiet connection is pinged. Keep it below the idle timeout of every \
              proxy in between.",
    },
    Key {
        path: "outbound.allow_private",
        kind: Kind::Boolean,
        preset: Preset::ByMode { dev: Literal::Boolean(true), serve: Literal::Boolean(false) },
        modes: Modes::Both,
        doc: "Whether outgoing calls may go to every address, private networks and this machine \
              included. Production refuses them, because whoever names a URL could reach what \
              only this machine can.",
    },
    Key {
        path: "outbound.allow",
        kind: Kind::List(&Kind::Range),
        preset: Preset::Absent("public addresses only, unless outbound.allow_private is set"),
        modes: Modes::Both,
        doc: "Ranges that outgoing calls may go to although they are not public, such as the \
              network of your event handlers.",
    },
    Key {
        path: "outbound.extra_ca_file",
        kind: Kind::Path,
        preset: Preset::Absent("the certificate authorities of the machine alone"),
        modes: Modes::Both,
        doc: "A PEM file with certificate authorities that outgoing HTTPS trusts besides those of \
              the machine.",
    },
    Key {
        path: "upstream.timeout_seconds",
        kind: Kind::Integer { min: 1, max: 600, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(100)),
        modes: Modes::Both,
        doc: "How long an event handler may take to answer one attempt. One that takes longer is \
              not asked again: the event has failed.",
    },
    Key {
        path: "communication.clock_skew_seconds",
        kind: Kind::Integer { min: 1, max: 86_400, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(900)),
        modes: Modes::Both,
        doc: "How far the clock of a caller that signs requests with an access key may be off.",
    },
    Key {
        path: "communication.rate_limits",
        kind: Kind::Integer { min: 0, max: 10_000, unit: "times" },
        preset: Preset::ByMode { dev: Literal::Integer(0), serve: Literal::Integer(10) },
        modes: Modes::Both,
        doc: "How often identities and chat may be used, in multiples of the limits that Azure \
              publishes: 1 throttles as Azure does, 0 not at all. Requests above it are answered with \
              429 and Retry-After.",
    },
    Key {
        path: "communication.public_endpoint",
        kind: Kind::Endpoint,
        preset: Preset::Absent("takes the address that the request was made to"),
        modes: Modes::ServeOnly,
        doc: "Where clients reach the Communication Services, such as https://chat.example.com. \
              Connection strings show it, and the links in answers begin with it.",
    },
    Key {
        path: "log.level",
        kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        preset: Preset::Always(Literal::Text("info")),
        modes: Modes::Both,
        doc: "The least important level that is written. Libraries never write below info, since \
              their details may hold credentials.",
    },
    Key {
        path: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        preset: Preset::Always(Literal::Text("text")),
        modes: Modes::Both,
        doc: "text for people, json (one object a line) for log collectors.",
    },
    Key {
        path: "resource.name",
        kind: Kind::Name,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "The name of the resource in commands, logs and metrics: 2 to 63 characters, \
              lower-case letters, digits and hyphens, starting with a letter.",
    },
    Key {
        path: "resource.kind",
        kind: Kind::Choice(&["webpubsub"]),
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "Which service the resource belongs to.",
    },
    Key {
        path: "resource.hosts",
        kind: Kind::List(&Kind::Host),
        preset: Preset::Absent("answers every host, which only one resource of a kind may do"),
        modes: Modes::ServeOnly,
        doc: "The host names under which the resource is reached, without scheme and port. The \
              Host header of a request picks the resource.",
    },
    Key {
        path: "resource.public_endpoints",
        kind: Kind::List(&Kind::Endpoint),
        preset: Preset::Absent("addresses are built from each request's own scheme and host"),
        modes: Modes::ServeOnly,
        doc: "The addresses by which the outside world knows the resource when a proxy stands in \
              front, such as https://chat.example.com. The first one appears in connection \
              strings and absolute links; tokens made for any of them are accepted.",
    },
    Key {
        path: "resource.primary_key_file",
        kind: Kind::Path,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "A file with the primary access key, at least 32 characters without spaces and \
              semicolons.",
    },
    Key {
        path: "resource.primary_key_env",
        kind: Kind::Variable,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with the primary access key, instead of a file.",
    },
    Key {
        path: "resource.secondary_key_file",
        kind: Kind::Path,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "A file with the secondary access key, which clients use while the primary one is \
              being replaced.",
    },
    Key {
        path: "resource.secondary_key_env",
        kind: Kind::Variable,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with the secondary access key, instead of a \
              file.",
    },
    Key {
        path: "resource.hub.name",
        kind: Kind::Hub,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "The hub, ignoring case; or *, for every hub without a table of its own.",
    },
    Key {
        path: "resource.hub.anonymous_connect",
        kind: Kind::Choice(&["deny", "allow"]),
        preset: Preset::Always(Literal::Text("deny")),
        modes: Modes::ServeOnly,
        doc: "Whether clients may connect without a token. Such clients have no user, no roles \
              and no groups unless the event handler gives them some. In development: `tidings \
              dev --anonymous HUB`.",
    },
    Key {
        path: "resource.hub.keep_alive_seconds",
        kind: Kind::Integer { min: 1, max: 120, unit: "seconds" },
        preset: Preset::Absent("gateway.keep_alive_seconds"),
        modes: Modes::ServeOnly,
        doc: "How often a quiet connection of the hub is pinged.",
    },
    Key {
        path: "resource.hub.event_handler.url_template",
        kind: Kind::UrlTemplate,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "Where events are posted. {hub} and {event} stand for the names, in path and query \
              only. In development: `tidings dev --event-handler HUB=URL`.",
    },
    Key {
        path: "resource.hub.event_handler.user_events",
        kind: Kind::EventPattern,
        preset: Preset::Absent("no user event"),
        modes: Modes::ServeOnly,
        doc: "The user events that the handler gets: * for all, or names with commas between \
              them. Simple clients send the event named message.",
    },
    Key {
        path: "resource.hub.event_handler.system_events",
        kind: Kind::List(&Kind::SystemEvent),
        preset: Preset::Absent("no system event"),
        modes: Modes::ServeOnly,
        doc: "The system events that the handler gets: connect (its answer decides whether the \
              client may connect, and as whom), connected, disconnected.",
    },
    Key {
        path: "resource.hub.event_handler.auth",
        kind: Kind::Choice(&["none", "bearer"]),
        preset: Preset::Always(Literal::Text("none")),
        modes: Modes::ServeOnly,
        doc: "How the handler knows Tidings, besides the signature that every event carries. \
              bearer: by a fixed token in the Authorization header.",
    },
    Key {
        path: "resource.hub.event_handler.bearer_token_file",
        kind: Kind::Path,
        preset: Preset::Absent("no token"),
        modes: Modes::ServeOnly,
        doc: "A file with the token for auth = \"bearer\".",
    },
    Key {
        path: "resource.hub.event_handler.bearer_token_env",
        kind: Kind::Variable,
        preset: Preset::Absent("no token"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with that token, instead of a file.",
    },
];
