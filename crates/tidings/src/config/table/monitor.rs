//! The keys of the log tables.

use super::{Key, Kind, Literal, Modes, Preset};

/// Every key of the log tables, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "monitor.log_tables",
        kind: Kind::Boolean,
        preset: Preset::Always(Literal::Boolean(true)),
        modes: Modes::Both,
        doc: "Whether requests, connections, messages and failed deliveries become rows of log \
              tables, which queries read (`tidings logs query`). Rows hold no payloads and no \
              secrets.",
    },
    Key {
        path: "monitor.keep_days",
        kind: Kind::Integer { min: 1, max: 3_650, unit: "days" },
        preset: Preset::Always(Literal::Integer(30)),
        modes: Modes::Both,
        doc: "How long rows of log tables are kept.",
    },
    Key {
        path: "monitor.keep_megabytes",
        kind: Kind::Integer { min: 1, max: 1_000_000, unit: "megabytes" },
        preset: Preset::ByMode { dev: Literal::Integer(200), serve: Literal::Integer(1_000) },
        modes: Modes::Both,
        doc: "How much all rows of log tables may take together, about; the oldest go first.",
    },
    Key {
        path: "monitor.rows_per_second",
        kind: Kind::Integer { min: 1, max: 100_000, unit: "rows" },
        preset: Preset::Always(Literal::Integer(1_000)),
        modes: Modes::Both,
        doc: "How many rows each log table takes in a second; further ones are counted \
              (tidings_log_rows_dropped_total) and dropped. It keeps a flood of messages from \
              filling the disk.",
    },
];
