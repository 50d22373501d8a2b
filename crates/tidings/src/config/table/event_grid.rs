//! The keys of Event Grid: the service, its topics and its event subscriptions.

use super::{Key, Kind, Literal, Modes, Preset};

/// Every key of Event Grid, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "eventgrid.retry_time_scale",
        kind: Kind::Factor,
        preset: Preset::Always(Literal::Text("1")),
        modes: Modes::Both,
        doc: "What every pause between delivery attempts, every probation and every time to \
              live is multiplied by. With 0.001, a day of retries passes in 86 seconds, which \
              tests can wait for. In development: `tidings dev --retry-time-scale 0.001`.",
    },
    Key {
        path: "eventgrid.retry_delays_seconds",
        kind: Kind::List(&Kind::Numeral { min: 0, max: 604_800, unit: "seconds" }),
        preset: Preset::Absent(
            "10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, as in Azure",
        ),
        modes: Modes::Both,
        doc: "The pauses before the second attempt, the third, and so on; the last one repeats. \
              Some answers of a webhook ask for more: 503 for 30 seconds, 408 for two minutes, \
              404 for five.",
    },
    Key {
        path: "eventgrid.retry_jitter_seconds",
        kind: Kind::Integer { min: 0, max: 3600, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(3)),
        modes: Modes::Both,
        doc: "To each pause a random part of this is added, so that many events that failed \
              together do not come back together.",
    },
    Key {
        path: "eventgrid.give_up_statuses",
        kind: Kind::List(&Kind::Numeral { min: 300, max: 599, unit: "statuses" }),
        preset: Preset::Absent("400, 401, 403, 413, as in Azure"),
        modes: Modes::Both,
        doc: "The statuses of a webhook after which its event is not tried again but \
              dead-lettered at once. With an empty list, no status is one.",
    },
    Key {
        path: "eventgrid.failures_before_probation",
        kind: Kind::Integer { min: 1, max: 1000, unit: "failures" },
        preset: Preset::Always(Literal::Integer(10)),
        modes: Modes::Both,
        doc: "After so many failures in a row a webhook is left alone for a while: ten seconds \
              to five minutes, by the kind of failure.",
    },
    Key {
        path: "eventgrid.timeout_seconds",
        kind: Kind::Integer { min: 1, max: 600, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(30)),
        modes: Modes::Both,
        doc: "How long a webhook may take to answer one request.",
    },
    Key {
        path: "eventgrid.attempts_at_a_time",
        kind: Kind::Integer { min: 1, max: 1000, unit: "requests" },
        preset: Preset::Always(Literal::Integer(16)),
        modes: Modes::Both,
        doc: "How many requests go to one event subscription at a time.",
    },
    Key {
        path: "eventgrid.dead_letter_folder",
        kind: Kind::Path,
        preset: Preset::Absent("the folder dead-letters in the data folder"),
        modes: Modes::Both,
        doc: "Where the events are written that an event subscription with a dead letter \
              destination could not deliver, one file each. The store keeps dead letters in any \
              case.",
    },
    Key {
        path: "eventgrid.max_request_bytes",
        kind: Kind::Integer { min: 1024, max: 64 * 1024 * 1024, unit: "bytes" },
        preset: Preset::Always(Literal::Integer(1_536_000)),
        modes: Modes::Both,
        doc: "The largest body of one publication. One event may have one MiB.",
    },
    Key {
        path: "eventgrid.max_publishes_at_a_time",
        kind: Kind::Integer { min: 1, max: 100_000, unit: "publications" },
        preset: Preset::Always(Literal::Integer(256)),
        modes: Modes::Both,
        doc: "How many publications are worked on at a time. More are refused with status 429, \
              which SDKs try again.",
    },
    Key {
        path: "eventgrid.validation_window_seconds",
        kind: Kind::Integer { min: 10, max: 86400, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(600)),
        modes: Modes::Both,
        doc: "How long somebody has to open the validation URL of a webhook that does not \
              answer the handshake itself.",
    },
    Key {
        path: "eventgrid.origin",
        kind: Kind::Host,
        preset: Preset::Always(Literal::Text("eventgrid.azure.net")),
        modes: Modes::Both,
        doc: "Who Tidings says it is to webhooks that take CloudEvents \
              (WebHook-Request-Origin). Many receivers have the default in their code.",
    },
    Key {
        path: "eventgrid.topic.name",
        kind: Kind::Name,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "The name of the topic. It is published to at /topics/<name>/api/events.",
    },
    Key {
        path: "eventgrid.topic.hosts",
        kind: Kind::List(&Kind::Host),
        preset: Preset::Absent("found by its path, or by a host whose first label is its name"),
        modes: Modes::ServeOnly,
        doc: "Host names of the topic's own, without scheme and port. Their first one appears \
              in the topic's endpoint.",
    },
    Key {
        path: "eventgrid.topic.input_schema",
        kind: Kind::Choice(&["EventGridSchema", "CloudEventSchemaV1_0", "CustomEventSchema"]),
        preset: Preset::Always(Literal::Text("EventGridSchema")),
        modes: Modes::ServeOnly,
        doc: "The form of published events.",
    },
    Key {
        path: "eventgrid.topic.input_schema_mapping_file",
        kind: Kind::Path,
        preset: Preset::Absent("no mapping"),
        modes: Modes::ServeOnly,
        doc: "A JSON file with the inputSchemaMapping of a topic whose input_schema is \
              CustomEventSchema.",
    },
    Key {
        path: "eventgrid.topic.disable_local_auth",
        kind: Kind::Boolean,
        preset: Preset::Always(Literal::Boolean(false)),
        modes: Modes::ServeOnly,
        doc: "Whether the topic refuses its keys and SAS tokens.",
    },
    Key {
        path: "eventgrid.topic.key1_file",
        kind: Kind::Path,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "A file with the first key: the base64 of 32 random bytes. Give both keys or none.",
    },
    Key {
        path: "eventgrid.topic.key1_env",
        kind: Kind::Variable,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with the first key, instead of a file.",
    },
    Key {
        path: "eventgrid.topic.key2_file",
        kind: Kind::Path,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "A file with the second key, which publishers use while the first one is being \
              replaced.",
    },
    Key {
        path: "eventgrid.topic.key2_env",
        kind: Kind::Variable,
        preset: Preset::Absent("generated on the first start and kept in the store"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with the second key, instead of a file.",
    },
    Key {
        path: "eventgrid.subscription.name",
        kind: Kind::Name,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "The name of the event subscription, unique for its topic or resource.",
    },
    Key {
        path: "eventgrid.subscription.topic",
        kind: Kind::Name,
        preset: Preset::Absent("resource says whose events it gets"),
        modes: Modes::ServeOnly,
        doc: "The topic whose events it gets, by its name in [[eventgrid.topic]].",
    },
    Key {
        path: "eventgrid.subscription.resource",
        kind: Kind::Name,
        preset: Preset::Absent("topic says whose events it gets"),
        modes: Modes::ServeOnly,
        doc: "The resource whose own events it gets, by its name in [[resource]], instead of a \
              topic: clients that connect and disconnect.",
    },
    Key {
        path: "eventgrid.subscription.url",
        kind: Kind::Text,
        preset: Preset::Absent("url_file, url_env or hub says where events go"),
        modes: Modes::ServeOnly,
        doc: "The webhook that events are posted to. It is asked for its consent first, as \
              often as it takes. In development: `tidings dev --event-subscription NAME=URL`.",
    },
    Key {
        path: "eventgrid.subscription.url_file",
        kind: Kind::Path,
        preset: Preset::Absent("no file"),
        modes: Modes::ServeOnly,
        doc: "A file with that URL, when it holds a secret.",
    },
    Key {
        path: "eventgrid.subscription.url_env",
        kind: Kind::Variable,
        preset: Preset::Absent("no variable"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with that URL, when it holds a secret.",
    },
    Key {
        path: "eventgrid.subscription.hub",
        kind: Kind::Text,
        preset: Preset::Absent("url says where events go"),
        modes: Modes::ServeOnly,
        doc: "A Web PubSub hub of this server whose clients get the events, instead of a \
              webhook.",
    },
    Key {
        path: "eventgrid.subscription.group",
        kind: Kind::Text,
        preset: Preset::Absent("every client of the hub"),
        modes: Modes::ServeOnly,
        doc: "The group of that hub whose members get the events.",
    },
    Key {
        path: "eventgrid.subscription.user",
        kind: Kind::Text,
        preset: Preset::Absent("every client of the hub"),
        modes: Modes::ServeOnly,
        doc: "The user of that hub who gets the events.",
    },
    Key {
        path: "eventgrid.subscription.event_types",
        kind: Kind::List(&Kind::Text),
        preset: Preset::Absent("all types"),
        modes: Modes::ServeOnly,
        doc: "The types of events that it gets.",
    },
    Key {
        path: "eventgrid.subscription.subject_begins_with",
        kind: Kind::Text,
        preset: Preset::Absent("any subject"),
        modes: Modes::ServeOnly,
        doc: "How the subjects of its events begin.",
    },
    Key {
        path: "eventgrid.subscription.subject_ends_with",
        kind: Kind::Text,
        preset: Preset::Absent("any subject"),
        modes: Modes::ServeOnly,
        doc: "How the subjects of its events end.",
    },
    Key {
        path: "eventgrid.subscription.filter_file",
        kind: Kind::Path,
        preset: Preset::Absent("the keys above alone"),
        modes: Modes::ServeOnly,
        doc: "A JSON file with a whole filter as management calls write it, advanced filters \
              included, instead of the keys above.",
    },
    Key {
        path: "eventgrid.subscription.schema",
        kind: Kind::Choice(&["EventGridSchema", "CloudEventSchemaV1_0", "CustomInputSchema"]),
        preset: Preset::Absent("that of the topic, or EventGridSchema for a custom one"),
        modes: Modes::ServeOnly,
        doc: "The form of delivered events.",
    },
    Key {
        path: "eventgrid.subscription.max_attempts",
        kind: Kind::Integer { min: 1, max: 30, unit: "attempts" },
        preset: Preset::Always(Literal::Integer(30)),
        modes: Modes::ServeOnly,
        doc: "How often a delivery is tried.",
    },
    Key {
        path: "eventgrid.subscription.ttl_minutes",
        kind: Kind::Integer { min: 1, max: 1440, unit: "minutes" },
        preset: Preset::Always(Literal::Integer(1440)),
        modes: Modes::ServeOnly,
        doc: "How long a delivery is tried.",
    },
    Key {
        path: "eventgrid.subscription.max_events_per_batch",
        kind: Kind::Integer { min: 1, max: 5000, unit: "events" },
        preset: Preset::Always(Literal::Integer(1)),
        modes: Modes::ServeOnly,
        doc: "How many events may go to the webhook in one request.",
    },
    Key {
        path: "eventgrid.subscription.preferred_batch_kilobytes",
        kind: Kind::Integer { min: 1, max: 1024, unit: "kilobytes" },
        preset: Preset::Always(Literal::Integer(64)),
        modes: Modes::ServeOnly,
        doc: "How large such a request may become; an event that alone is larger goes alone.",
    },
    Key {
        path: "eventgrid.subscription.dead_letters",
        kind: Kind::Name,
        preset: Preset::Absent("dead letters are kept in the store alone"),
        modes: Modes::ServeOnly,
        doc: "The folder within eventgrid.dead_letter_folder for events that could not be \
              delivered.",
    },
];
