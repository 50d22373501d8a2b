//! The `[[resource]]` tables: each alone, then against one another.

use super::build::Builder;
use super::file::ResourceTable;
use super::model::{
    DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_RESOURCE, DEVELOPMENT_SECONDARY_KEY, KeySource, Mode,
    Resource, ResourceKind,
};
use super::problem::{Place, Problem};
use super::secrets::Named;
use super::table::{self, Preset};

/// The resources of `tidings dev`: one of each kind.
pub(super) fn development() -> Vec<Resource> {
    let seed = |key: &str| KeySource::Seeded(kernel::Secret::new(key));
    vec![Resource {
        name: DEVELOPMENT_RESOURCE.to_owned(),
        kind: ResourceKind::WebPubSub,
        hosts: Vec::new(),
        public_endpoints: Vec::new(),
        primary_key: seed(DEVELOPMENT_PRIMARY_KEY),
        secondary_key: seed(DEVELOPMENT_SECONDARY_KEY),
    }]
}

impl Builder<'_> {
    pub(super) fn resources(&mut self, tables: &[ResourceTable]) -> Vec<Resource> {
        if self.mode == Mode::Dev {
            return development();
        }
        if tables.is_empty() {
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
        tables.iter().filter_map(|table| self.resource(table)).collect()
    }

    fn resource(&mut self, table: &ResourceTable) -> Option<Resource> {
        let settings = &table.settings;
        let required = table::KEYS.iter().filter(|key| {
            key.section() == table::RESOURCE && matches!(key.preset, Preset::Required)
        });
        for key in required {
            if settings.get(key.path).is_none() && !table.faulty.contains(&key.path) {
                self.error(
                    &table.place,
                    format!("this resource has no {}", key.name()),
                    format!("add {} = \"…\"", key.name()),
                );
            }
        }
        let primary_key = self.secret(settings, &PRIMARY);
        let secondary_key = self.secret(settings, &SECONDARY);
        self.warn_if_same(&primary_key, &secondary_key, &table.place);
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
        })
    }

    fn unique_names(&mut self, tables: &[ResourceTable]) {
        let names = tables.iter().filter_map(|table| {
            let name = table.settings.text("resource.name")?;
            Some((name.to_owned(), table.settings.place("resource.name")))
        });
        self.unique("name", &names.collect::<Vec<_>>());
    }

    fn unique_addresses(&mut self, tables: &[ResourceTable], path: &'static str) {
        let addresses: Vec<_> =
            tables.iter().flat_map(|table| table.settings.list(path)).cloned().collect();
        self.unique(path, &addresses);
    }

    fn unique(&mut self, what: &str, values: &[(String, Place)]) {
        for (at, (value, place)) in values.iter().enumerate() {
            let Some((_, first)) = values[..at].iter().find(|(earlier, _)| earlier == value) else {
                continue;
            };
            let line = match first {
                Place::File { line, .. } => format!(" (line {line})"),
                Place::Environment(_) | Place::Flag(_) | Place::Default => String::new(),
            };
            let what = what.strip_prefix("resource.").unwrap_or(what);
            self.error(
                place,
                format!("\"{value}\" already stands in the {what} of a resource above{line}"),
                "each name and each address may belong to one resource only",
            );
        }
    }

    /// With several resources of a kind, one without any address could never be picked.
    fn reachable(&mut self, tables: &[ResourceTable]) {
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
