//! The one table of configuration keys: what a key is; the keys themselves are in `table/keys.rs`
//! and the files beside it.
//!
//! Reading, checking, `tidings config explain` and `tidings dev --print-config` all follow this
//! table, so a key cannot be accepted and undocumented, or documented and ignored. A key is added
//! there and then picked up in `build.rs`, `resource.rs`, `hub.rs` or `event_grid.rs`; nothing else
//! lists keys.

mod console;
mod event_grid;
mod identity_provider;
mod journeys;
mod keys;
mod monitor;
mod notification_hubs;

use super::model::Mode;
pub(super) use keys::{KEYS, REFUSED, SECTIONS};

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Section and name, such as `server.http_port`. Keys of a `[[resource]]` start with
    /// `resource.`, those of its hubs with `resource.hub.`.
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
#[derive(Debug, Clone, Copy)]
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
    /// A whole number within bounds as an element of a list, with its unit.
    Numeral {
        /// Smallest accepted number.
        min: u64,
        /// Largest accepted number.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A number above zero that something is multiplied by, such as 0.001.
    Factor,
    /// Any text.
    Text,
    /// Yes or no.
    Boolean,
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
    /// A range of IP addresses, such as `10.0.0.0/8`.
    Range,
    /// The name of a hub, or `*`.
    Hub,
    /// The URL of an event handler, with places for hub and event.
    UrlTemplate,
    /// A choice of user events.
    EventPattern,
    /// The name of a system event.
    SystemEvent,
    /// Several values of one kind.
    List(&'static Self),
}

/// A default, as it would be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Literal {
    /// A number.
    Integer(u64),
    /// Yes or no.
    Boolean(bool),
    /// A text.
    Text(&'static str),
}

/// What holds when nobody sets a key.
#[derive(Debug, Clone, Copy)]
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
    /// The section, such as `server` or `resource.hub`.
    pub(super) fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(section, _)| section)
    }

    /// The name within its section, such as `http_port`.
    pub(super) fn name(&self) -> &'static str {
        last(self.path)
    }

    /// How the section starts in the file: `[server]`, `[[resource]]`.
    pub(super) fn heading(&self) -> String {
        heading(self.section())
    }

    /// The environment variable that sets this key, such as `TIDINGS_SERVER_HTTP_PORT`. Keys of a
    /// resource have none: a variable cannot say which resource it means.
    pub(super) fn variable(&self) -> Option<String> {
        (!is_repeated(self.section()))
            .then(|| format!("{PREFIX}{}", self.path.replace('.', "_").to_uppercase()))
    }
}

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// How a section starts in the file.
pub(super) fn heading(section: &str) -> String {
    if is_repeated(section) { format!("[[{section}]]") } else { format!("[{section}]") }
}

/// Whether a section may appear many times: a resource and what stands below one, a topic, an event
/// subscription.
pub(super) fn is_repeated(section: &str) -> bool {
    section.split('.').next() == Some(RESOURCE)
        || [TOPIC, EVENT_SUBSCRIPTION, NOTIFICATION_HUB].contains(&section)
}

/// The sections directly below another, by their whole paths; `""` gives those of the file.
pub(super) fn below(section: &str) -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|(path, _)| *path).filter(move |path| match path.rsplit_once('.') {
        Some((parent, _)) => parent == section,
        None => section.is_empty(),
    })
}

/// The last part of a path: `hub` of `resource.hub`.
pub(super) fn last(path: &'static str) -> &'static str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

/// What every environment variable of the configuration starts with.
pub(super) const PREFIX: &str = "TIDINGS_";

/// The section of a resource, `[[resource]]`.
pub(super) const RESOURCE: &str = "resource";

/// The section of a hub's settings within a resource.
pub(super) const HUB: &str = "resource.hub";

/// The section of an event handler within a hub.
pub(super) const EVENT_HANDLER: &str = "resource.hub.event_handler";

/// The section of Event Grid.
pub(super) const EVENT_GRID: &str = "eventgrid";

/// The section of a topic.
pub(super) const TOPIC: &str = "eventgrid.topic";

/// The section of an event subscription.
pub(super) const EVENT_SUBSCRIPTION: &str = "eventgrid.subscription";

/// The section of Notification Hubs.
pub(super) const NOTIFICATION_HUBS: &str = "notification_hubs";

/// The section of a notification hub.
pub(super) const NOTIFICATION_HUB: &str = "notification_hubs.hub";

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
