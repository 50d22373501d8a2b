//! The keys of journeys, and of where else they are told.

use super::{Key, Kind, Literal, Modes, Preset};

/// Every key of journeys, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "journeys.per_second",
        kind: Kind::Integer { min: 0, max: 100_000, unit: "journeys" },
        preset: Preset::Always(Literal::Integer(200)),
        modes: Modes::Both,
        doc: "How many messages, events, pushes and calls of one second are recorded stage by stage, \
              for `tidings trace`; as many again of callers that record theirs (the flag of \
              traceparent). Others still have ids, which are passed on. 0 records nothing.",
    },
    Key {
        path: "journeys.keep_days",
        kind: Kind::Integer { min: 1, max: 3_650, unit: "days" },
        preset: Preset::Always(Literal::Integer(7)),
        modes: Modes::Both,
        doc: "How long journeys are kept.",
    },
    Key {
        path: "journeys.max_stages",
        kind: Kind::Integer { min: 1_000, max: 1_000_000_000, unit: "stages" },
        preset: Preset::ByMode {
            dev: Literal::Integer(200_000),
            serve: Literal::Integer(1_000_000),
        },
        modes: Modes::Both,
        doc: "How many stages of all journeys are kept; the oldest journeys go first. A million take \
              about 300 megabytes.",
    },
    Key {
        path: "telemetry.otlp_endpoint",
        kind: Kind::Text,
        preset: Preset::Absent(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, where they are set",
        ),
        modes: Modes::Both,
        doc: "The OpenTelemetry collector that gets journeys as spans, by OTLP over HTTP \
              (http/protobuf), such as http://localhost:4318; /v1/traces is added. Headers for it \
              come from OTEL_EXPORTER_OTLP_HEADERS.",
    },
];
