//! The one list of configuration keys.
//!
//! Reading, checking, `tidings config explain` and `tidings dev --print-config` all follow this
//! table, so a key cannot be accepted and undocumented, or documented and ignored. A key is added
//! here and then picked up in `build.rs` or `resource.rs`; nothing else lists keys.

use super::model::Mode;

/// One key of the configuration.
#[derive(Debug)]
pub(super) struct Key {
    /// Section and name, such as `server.http_port`. Keys of a `[[resource]]` start with
    /// `resource.`.
    pub(super) path: &'static str,
    /// What a value must look like.
    pub(super) kind: Kind,
    /// What holds when nobody sets the key.
    pub(super) preset: Preset,
    /// Where the key has an effect.
    pub(super) modes: Modes,
    /// One paragraph for `config explain` and the printed configuration.
    pub(super) doc: &'static str,
}

/// What a value must look like.
#[derive(Debug)]
pub(super) enum Kind {
    /// A TCP port, 0 for any free one.
    Port,
    /// A whole number within bounds, with its unit ("seconds").
    Integer {
        /// Smallest accepted number.
        min: u64,
        /// Largest accepted number.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// An IP address.
    Address,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A file or folder; relative paths start at the folder of the configuration file.
    Path,
    /// The name of an environment variable.
    Variable,
    /// The name of a resource.
    Name,
    /// A host name without scheme and port.
    Host,
    /// Scheme and authority, such as `https://chat.example.com`.
    Endpoint,
    /// Several values of one kind.
    List(&'static Self),
}

/// A default, as it would be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Literal {
    /// A number.
    Integer(u64),
    /// A text.
    Text(&'static str),
}

/// What holds when nobody sets a key.
#[derive(Debug)]
pub(super) enum Preset {
    /// The same value in both modes.
    Always(Literal),
    /// One value in development, another in production.
    ByMode {
        /// The value of `tidings dev`.
        dev: Literal,
        /// The value of `tidings serve`.
        serve: Literal,
    },
    /// No value; the words say what happens then.
    Absent(&'static str),
    /// The key must be given.
    Required,
}

impl Preset {
    /// The default value in `mode`, if there is one.
    pub(super) fn literal(&self, mode: Mode) -> Option<Literal> {
        match (self, mode) {
            (Self::Always(literal), _)
            | (Self::ByMode { dev: literal, .. }, Mode::Dev)
            | (Self::ByMode { serve: literal, .. }, Mode::Serve) => Some(*literal),
            (Self::Absent(_) | Self::Required, _) => None,
        }
    }
}

/// Where a key has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modes {
    /// In `tidings dev` and `tidings serve`.
    Both,
    /// In `tidings serve` only.
    ServeOnly,
}

impl Key {
    /// The section, such as `server`.
    pub(super) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(section, _)| section)
    }

    /// The name within its section, such as `http_port`.
    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// How the section starts in the file: `[server]`, `[[resource]]`.
    pub(super) fn heading(&self) -> String {
        heading(self.section())
    }

    /// The environment variable that sets this key, such as `TIDINGS_SERVER_HTTP_PORT`. Keys of a
    /// resource have none: a variable cannot say which resource it means.
    pub(super) fn variable(&self) -> Option<String> {
        (self.section() != RESOURCE)
            .then(|| format!("{PREFIX}{}", self.path.replace('.', "_").to_uppercase()))
    }
}

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// How a section starts in the file.
pub(super) fn heading(section: &str) -> String {
    if section == RESOURCE { format!("[[{section}]]") } else { format!("[{section}]") }
}

/// What every environment variable of the configuration starts with.
pub(super) const PREFIX: &str = "TIDINGS_";

/// The section that may appear many times, as `[[resource]]`.
pub(super) const RESOURCE: &str = "resource";

/// The sections in the order in which they are printed, with a sentence each.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("server", "Where Tidings listens and how it stops."),
    ("data", "Where state lives and how it is protected."),
    ("tls", "The certificate of the HTTPS listener. `tidings dev` makes its own."),
    ("gateway", "The connection engine."),
    ("log", "What is written to standard error."),
    (RESOURCE, "One table for each resource. `tidings dev` has one of each kind, named local."),
];

/// Names that are not keys but that people try, with the way out.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("resource.primary_key", LITERAL_KEY_CURE),
    ("resource.secondary_key", LITERAL_KEY_CURE),
    ("data.master_key", LITERAL_KEY_CURE),
];

const LITERAL_KEY_CURE: &str = "a key written here leaks with the file: put it in a file of its \
    own or in an environment variable, and name that with the same key plus _file or _env; or \
    leave it out, and Tidings generates one and keeps it in the store";

/// The smallest outbound queue also holds one message of the largest size; see `build.rs`.
const MIB: u64 = 1024 * 1024;

/// Every key, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
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
        doc: "The folder of the database, generated keys and the development CA. Development \
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
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_variable_and_every_path_is_unique() {
        let variables: Vec<_> = KEYS.iter().filter_map(Key::variable).collect();
        assert_eq!(variables.iter().collect::<BTreeSet<_>>().len(), variables.len());
        let paths: BTreeSet<_> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(paths.len(), KEYS.len());
    }

    #[test]
    fn every_key_belongs_to_a_listed_section() {
        for key in KEYS {
            assert!(SECTIONS.iter().any(|(name, _)| *name == key.section()), "{}", key.path);
        }
    }
}
