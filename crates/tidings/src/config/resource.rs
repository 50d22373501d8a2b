//! The `[[resource]]` tables: each alone, then against one another.

use std::time::Duration;

use kernel::Secret;

use super::build::Builder;
use super::file::Table;
use super::model::{
    DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY, KeySource, Mode, Resource, ResourceKind,
};
use super::problem::{Place, Problem};
use super::secrets::Named;
use super::table::{self, Preset};

/// What the keys of the server itself are called where commands take the name of a resource; a
/// resource of this name would stand before them.
const TAKEN: [&str; 2] = ["management", "communication"];

impl Builder<'_> {
    /// The resources that the tables describe; `keep_alive` is for hubs without a time of their own.
    pub(super) fn resources(&mut self, tables: &[Table], keep_alive: Duration) -> Vec<Resource> {
        if self.mode == Mode::Serve && tables.is_empty() {
            self.problems.push(Problem::warning(
                &Place::Default,
                "no resource is declared, so there is nothing to serve".to_owned(),
                "add [[resource]] with name = \"chat\" and kind = \"webpubsub\"",
            ));
        }
        self.unique_names(tables);
        self.unique_addresses(tables, "resource.hosts");
        self.unique_addresses(tables, "resource.public_endpoints");
        self.reachable(tables);
        tables.iter().filter_map(|table| self.resource(table, keep_alive)).collect()
    }

    fn resource(&mut self, table: &Table, keep_alive: Duration) -> Option<Resource> {
        let settings = &table.settings;
        self.require(table);
        let primary_key = self.access_key(table, &PRIMARY, DEVELOPMENT_PRIMARY_KEY);
        let secondary_key = self.access_key(table, &SECONDARY, DEVELOPMENT_SECONDARY_KEY);
        self.warn_if_same(&primary_key, &secondary_key, &table.place);
        let hubs = self.hubs(table, keep_alive);
        let kind = match settings.text("resource.kind")? {
            "webpubsub" => ResourceKind::WebPubSub,
            other => unreachable!("{other} is a kind of the table"),
        };
        let texts =
            |path| settings.list(path).iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
        Some(Resource {
            name: settings.text("resource.name")?.to_owned(),
            kind,
            hosts: texts("resource.hosts"),
            public_endpoints: texts("resource.public_endpoints"),
            primary_key,
            secondary_key,
            hubs,
        })
    }

    /// Tells every key that the table lacks.
    pub(super) fn require(&mut self, table: &Table) {
        let of_section = table::KEYS.iter().filter(|key| key.section() == table.section);
        for key in of_section.filter(|key| matches!(key.preset, Preset::Required)) {
            if table.settings.get(key.path).is_none() && !table.faulty.contains(&key.path) {
                let what = table::last(table.section).replace('_', " ");
                self.error(
                    &table.place,
                    format!("this {what} has no {}", key.name()),
                    format!("add {} = \"…\"", key.name()),
                );
            }
        }
    }

    /// A key of the configuration; in development a well-known one.
    fn access_key(&mut self, table: &Table, named: &Named, well_known: &str) -> KeySource {
        match self.mode {
            Mode::Dev => KeySource::Seeded(Secret::new(well_known)),
            Mode::Serve => self.secret(&table.settings, named),
        }
    }

    fn unique_names(&mut self, tables: &[Table]) {
        let names = tables.iter().filter_map(|table| {
            let name = table.settings.text("resource.name")?;
            Some((name.to_owned(), table.settings.place("resource.name")))
        });
        let names: Vec<_> = names.collect();
        self.unique("name of a resource", &names);
        for (name, place) in names.iter().filter(|(name, _)| TAKEN.contains(&name.as_str())) {
            let message = format!("\"{name}\" is what the server calls keys of its own");
            let help =
                format!("take another name, so that `tidings keys show {name}` has one meaning");
            self.error(place, message, help);
        }
    }

    fn unique_addresses(&mut self, tables: &[Table], path: &'static str) {
        let addresses: Vec<_> =
            tables.iter().flat_map(|table| table.settings.list(path)).cloned().collect();
        let name = path.rsplit('.').next().unwrap_or(path);
        self.unique(&format!("{name} of a resource"), &addresses);
    }

    /// Tells every value that stands twice; `what` says where the first one stands.
    pub(super) fn unique(&mut self, what: &str, values: &[(String, Place)]) {
        for (at, (value, place)) in values.iter().enumerate() {
            let Some((_, first)) = values[..at].iter().find(|(earlier, _)| earlier == value) else {
                continue;
            };
            let line = match first {
                Place::File { line, .. } => format!(" (line {line})"),
                Place::Environment(_) | Place::Flag(_) | Place::Default => String::new(),
            };
            self.error(
                place,
                format!("\"{value}\" already stands in the {what} above{line}"),
                "each name and each address may stand once only",
            );
        }
    }

    /// With several resources of a kind, one without any address could never be picked.
    fn reachable(&mut self, tables: &[Table]) {
        for table in tables {
            let kind = table.settings.text("resource.kind");
            let of_kind =
                tables.iter().filter(|other| other.settings.text("resource.kind") == kind);
            let has = |path| !table.settings.list(path).is_empty() || table.faulty.contains(&path);
            let addressed = has("resource.hosts") || has("resource.public_endpoints");
            if kind.is_some() && of_kind.count() > 1 && !addressed {
                self.error(
                    &table.place,
                    "several resources have this kind, and this one has no hosts".to_owned(),
                    "add hosts = [\"…\"] with the names under which clients reach it",
                );
            }
        }
    }
}

const PRIMARY: Named = Named {
    file: "resource.primary_key_file",
    variable: "resource.primary_key_env",
    is_access_key: true,
};

const SECONDARY: Named = Named {
    file: "resource.secondary_key_file",
    variable: "resource.secondary_key_env",
    is_access_key: true,
};
