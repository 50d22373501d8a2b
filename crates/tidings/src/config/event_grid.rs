//! The section `[eventgrid]`, its topics and its event subscriptions.
//!
//! What a topic or event subscription may be is the service's own judgement: the keys become the
//! `properties` of a management call, and the service reads them once here.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventgrid::event::InputSchema;
use eventgrid::subscription::Properties;
use kernel::Secret;
use serde_json::{Map, Value as Json, json};

use super::build::{Builder, seconds};
use super::file::Table;
use super::layers::Settings;
use super::model::{
    DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY, EventGrid, EventSource, EventSubscription,
    Factor, KeySource, Mode, Topic,
};
use super::problem::Place;
use super::secrets::Named;
use super::table::{EVENT_SUBSCRIPTION, TOPIC};
use super::value::Value;

const MAPPING: &str = "eventgrid.topic.input_schema_mapping_file";
const FILTER: &str = "eventgrid.subscription.filter_file";
const URL: &str = "eventgrid.subscription.url";
const GIVE_UP: &str = "eventgrid.give_up_statuses";
const HUB: &str = "eventgrid.subscription.hub";

const KEY1: Named = Named {
    file: "eventgrid.topic.key1_file",
    variable: "eventgrid.topic.key1_env",
    is_access_key: true,
};
const KEY2: Named = Named {
    file: "eventgrid.topic.key2_file",
    variable: "eventgrid.topic.key2_env",
    is_access_key: true,
};
const SECRET_URL: Named = Named {
    file: "eventgrid.subscription.url_file",
    variable: "eventgrid.subscription.url_env",
    is_access_key: false,
};

impl Builder<'_> {
    /// Event Grid, from its section and its tables; `resources` are those whose events there are.
    pub(super) fn event_grid(
        &mut self,
        settings: &Settings,
        tables: &[Table],
        resources: &[Table],
    ) -> EventGrid {
        let of = |section: &'static str| tables.iter().filter(move |it| it.section == section);
        self.unique_in(of(TOPIC), "eventgrid.topic.name", "name of a topic");
        let hosts: Vec<_> =
            of(TOPIC).flat_map(|it| it.settings.list("eventgrid.topic.hosts")).cloned().collect();
        self.unique("hosts of a topic", &hosts);
        let subscriptions: Vec<_> = of(EVENT_SUBSCRIPTION).filter_map(path_of).collect();
        self.unique("topic and name of an event subscription", &subscriptions);
        let topics: Vec<Topic> = of(TOPIC).filter_map(|table| self.topic(table)).collect();
        let sources = Sources { topics: &topics, resources };
        let subscriptions: Vec<EventSubscription> = of(EVENT_SUBSCRIPTION)
            .filter_map(|table| self.event_subscription(table, &sources))
            .collect();
        let size = |path| usize::try_from(settings.integer(path)).expect("bounds fit a word");
        let numbers = |path| settings.list(path).iter().map(|(text, _)| text.as_str());
        let number = |text: &str| text.parse::<u64>().expect("numbers were checked when read");
        let folder = "eventgrid.dead_letter_folder";
        EventGrid {
            retry_time_scale: factor(settings.text("eventgrid.retry_time_scale")),
            retry_delays: numbers("eventgrid.retry_delays_seconds")
                .map(|text| Duration::from_secs(number(text)))
                .collect(),
            retry_jitter: seconds(settings, "eventgrid.retry_jitter_seconds"),
            give_up_statuses: settings
                .get(GIVE_UP)
                .map(|_| numbers(GIVE_UP).filter_map(|text| text.parse().ok()).collect()),
            failures_before_probation: u32::try_from(
                settings.integer("eventgrid.failures_before_probation"),
            )
            .expect("bounds fit"),
            timeout: seconds(settings, "eventgrid.timeout_seconds"),
            attempts_at_a_time: size("eventgrid.attempts_at_a_time"),
            dead_letter_folder: match settings.text(folder) {
                Some(path) => self.resolve(path, &settings.place(folder)),
                None => self.data_folder(settings).join("dead-letters"),
            },
            max_request_bytes: size("eventgrid.max_request_bytes"),
            max_publishes_at_a_time: size("eventgrid.max_publishes_at_a_time"),
            validation_window: seconds(settings, "eventgrid.validation_window_seconds"),
            origin: settings.text("eventgrid.origin").unwrap_or_default().to_owned(),
            topics,
            subscriptions,
        }
    }

    fn topic(&mut self, table: &Table) -> Option<Topic> {
        self.require(table);
        let settings = &table.settings;
        let (key1, key2) = self.topic_keys(table);
        let schema = settings.text("eventgrid.topic.input_schema").unwrap_or_default();
        let mut properties = json!({
            "inputSchema": schema,
            "disableLocalAuth": settings.boolean("eventgrid.topic.disable_local_auth"),
        });
        if let Some(mapping) = self.json_file(settings, MAPPING) {
            properties["inputSchemaMapping"] = mapping;
        }
        let mapping = properties.get("inputSchemaMapping");
        if let Err(error) = InputSchema::parse(Some(schema), mapping) {
            self.error(&settings.place(MAPPING), error.message().to_owned(), "correct the mapping");
        }
        let hosts = settings.list("eventgrid.topic.hosts").iter().map(|(host, _)| host.clone());
        Some(Topic {
            name: settings.text("eventgrid.topic.name")?.to_owned(),
            hosts: hosts.collect(),
            properties: properties.to_string(),
            key1,
            key2,
        })
    }

    /// Both keys of a topic; in development well-known ones.
    fn topic_keys(&mut self, table: &Table) -> (KeySource, KeySource) {
        if self.mode == Mode::Dev {
            let seeded = |key| KeySource::Seeded(Secret::new(key));
            return (seeded(DEVELOPMENT_PRIMARY_KEY), seeded(DEVELOPMENT_SECONDARY_KEY));
        }
        let keys = [&KEY1, &KEY2].map(|named| self.secret(&table.settings, named));
        let [key1, key2] = keys;
        self.warn_if_same(&key1, &key2, &table.place);
        for key in [&key1, &key2] {
            if let KeySource::Given { secret, origin } = key
                && STANDARD.decode(secret.expose()).is_err()
            {
                let message = format!("the key in {origin} is not base64");
                let help = "signatures are made with what it decodes to: openssl rand -base64 32";
                self.error(&table.place, message, help);
            }
        }
        if (key1 == KeySource::Kept) != (key2 == KeySource::Kept) {
            let message = "only one of the two keys of this topic is given".to_owned();
            self.error(&table.place, message, "give both, or none to have them generated");
        }
        (key1, key2)
    }

    fn event_subscription(
        &mut self,
        table: &Table,
        sources: &Sources<'_>,
    ) -> Option<EventSubscription> {
        self.require(table);
        let (source, input) = self.source(table, sources)?;
        let destination = self.destination(table)?;
        let filter = self.filter(&table.settings);
        let properties = properties(&table.settings, &destination, &filter);
        if let Err(error) = Properties::parse(&properties, &input) {
            let help = "`tidings config explain eventgrid.subscription` tells what can be set";
            self.error(&table.place, error.message().trim_end_matches('.').to_owned(), help);
            return None;
        }
        Some(EventSubscription {
            name: table.settings.text("eventgrid.subscription.name")?.to_owned(),
            source,
            properties: Secret::new(properties.to_string()),
        })
    }

    /// Whose events it gets, and in which schema they come in.
    fn source(
        &mut self,
        table: &Table,
        sources: &Sources<'_>,
    ) -> Option<(EventSource, InputSchema)> {
        let (topic_path, resource_path) =
            ("eventgrid.subscription.topic", "eventgrid.subscription.resource");
        let settings = &table.settings;
        match (settings.text(topic_path), settings.text(resource_path)) {
            (Some(name), None) => {
                let Some(topic) = sources.topics.iter().find(|it| it.name == name) else {
                    let message = format!("there is no [[eventgrid.topic]] named \"{name}\"");
                    self.error(&settings.place(topic_path), message, "name one, or add it");
                    return None;
                };
                Some((EventSource::Topic(name.to_owned()), topic.input_schema()))
            }
            (None, Some(name)) if sources.has_resource(name) => {
                Some((EventSource::Resource(name.to_owned()), InputSchema::EventGrid))
            }
            (None, Some(name)) => {
                let message = format!("there is no [[resource]] named \"{name}\"");
                self.error(&settings.place(resource_path), message, "name one, or add it");
                None
            }
            (given, _) => {
                let what = if given.is_some() { "both" } else { "neither of" };
                let message = format!("this event subscription has {what} topic and resource");
                self.error(&table.place, message, "give one of the two");
                None
            }
        }
    }

    fn destination(&mut self, table: &Table) -> Option<Json> {
        let settings = &table.settings;
        let hub = settings.text(HUB);
        let secret =
            [SECRET_URL.file, SECRET_URL.variable].iter().any(|it| settings.get(it).is_some());
        let given = [settings.get(URL).is_some(), secret, hub.is_some()];
        if given.iter().filter(|it| **it).count() != 1 {
            let message = "an event subscription has one destination".to_owned();
            let help = "give one of url, url_file, url_env and hub";
            self.error(&table.place, message, help);
            return None;
        }
        if let Some(hub) = hub {
            let mut properties = json!({ "hub": hub });
            for name in ["group", "user"] {
                if let Some(text) = settings.text(&format!("eventgrid.subscription.{name}")) {
                    properties[name] = text.into();
                }
            }
            return Some(json!({ "endpointType": "WebPubSub", "properties": properties }));
        }
        let url = match settings.text(URL) {
            Some(url) => url.to_owned(),
            None => self.found(settings, &SECRET_URL)?.secret.expose().to_owned(),
        };
        Some(json!({ "endpointType": "WebHook", "properties": {
            "endpointUrl": url,
            "maxEventsPerBatch": settings.integer("eventgrid.subscription.max_events_per_batch"),
            "preferredBatchSizeInKilobytes":
                settings.integer("eventgrid.subscription.preferred_batch_kilobytes"),
        } }))
    }

    fn filter(&mut self, settings: &Settings) -> Json {
        if let Some(filter) = self.json_file(settings, FILTER) {
            return filter;
        }
        let mut filter = Map::new();
        let types = settings.list("eventgrid.subscription.event_types");
        if !types.is_empty() {
            let types: Vec<&str> = types.iter().map(|(text, _)| text.as_str()).collect();
            filter.insert("includedEventTypes".to_owned(), json!(types));
        }
        for (name, path) in [
            ("subjectBeginsWith", "eventgrid.subscription.subject_begins_with"),
            ("subjectEndsWith", "eventgrid.subscription.subject_ends_with"),
        ] {
            if let Some(text) = settings.text(path) {
                filter.insert(name.to_owned(), text.into());
            }
        }
        Json::Object(filter)
    }

    /// The JSON in the file that a key names, if it is given and can be read.
    fn json_file(&mut self, settings: &Settings, path: &'static str) -> Option<Json> {
        let at: Place = settings.place(path);
        let file = settings.text(path)?;
        let text = self.read(path, file, &at)?;
        match serde_json::from_str(&text) {
            Ok(json) => Some(json),
            Err(error) => {
                let message = format!("{path} names {file}, which is not JSON: {error}");
                self.error(&at, message, "correct the file");
                None
            }
        }
    }

    pub(super) fn unique_in<'t>(
        &mut self,
        tables: impl Iterator<Item = &'t Table>,
        path: &str,
        what: &str,
    ) {
        let names = tables.filter_map(|table| {
            Some((table.settings.text(path)?.to_owned(), table.settings.place(path)))
        });
        self.unique(what, &names.collect::<Vec<_>>());
    }
}

/// Topic or resource and name of an event subscription, as in `orders/billing`.
fn path_of(table: &Table) -> Option<(String, Place)> {
    let text = |path| table.settings.text(path);
    let source =
        text("eventgrid.subscription.topic").or(text("eventgrid.subscription.resource"))?;
    let path = "eventgrid.subscription.name";
    Some((format!("{source}/{}", text(path)?), table.settings.place(path)))
}

/// What event subscriptions can be about.
struct Sources<'a> {
    topics: &'a [Topic],
    resources: &'a [Table],
}

impl Sources<'_> {
    fn has_resource(&self, name: &str) -> bool {
        self.resources.iter().any(|it| it.settings.text("resource.name") == Some(name))
    }
}

impl Topic {
    fn input_schema(&self) -> InputSchema {
        let properties: Json = serde_json::from_str(&self.properties).unwrap_or_default();
        let name = properties["inputSchema"].as_str();
        InputSchema::parse(name, properties.get("inputSchemaMapping")).unwrap_or_default()
    }
}

fn properties(settings: &Settings, destination: &Json, filter: &Json) -> Json {
    let mut properties = json!({
        "destination": destination,
        "filter": filter,
        "retryPolicy": {
            "maxDeliveryAttempts": settings.integer("eventgrid.subscription.max_attempts"),
            "eventTimeToLiveInMinutes": settings.integer("eventgrid.subscription.ttl_minutes"),
        },
    });
    if let Some(schema) = settings.text("eventgrid.subscription.schema") {
        properties["eventDeliverySchema"] = schema.into();
    }
    if let Some(Value::Text(folder)) =
        settings.get("eventgrid.subscription.dead_letters").map(|it| &it.value)
    {
        properties["deadLetterDestination"] =
            json!({ "endpointType": "Folder", "properties": { "name": folder } });
    }
    properties
}

fn factor(text: Option<&str>) -> Factor {
    let number: f64 = text.and_then(|text| text.parse().ok()).unwrap_or(1.0);
    // Checked to lie between a millionth and a thousand when it was read.
    Factor { millionths: (number * 1_000_000.0).round() as u64 }
}

#[cfg(test)]
mod tests;
