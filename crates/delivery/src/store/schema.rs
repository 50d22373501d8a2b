//! The tables, in numbered steps.

use storage::Migration;

/// `state`: 0 ready, 1 leased, 2 behind another item of its key. `lifetime` is what the item had from
/// its beginning, so that a redriven one gets as much again. `report_at` of a dead letter is empty
/// once the courier has been told of it.
pub(super) const MIGRATIONS: [Migration; 2] = [TABLES, JOURNEYS];

const TABLES: Migration = Migration {
    name: "deliveries and dead letters",
    sql: "CREATE TABLE deliveries (
            id BLOB NOT NULL PRIMARY KEY,
            queue TEXT NOT NULL,
            target TEXT NOT NULL,
            order_key TEXT,
            state INTEGER NOT NULL,
            accepted_at INTEGER NOT NULL,
            due_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            lifetime INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            max_attempts INTEGER NOT NULL,
            lease_owner TEXT,
            lease_until INTEGER,
            last_outcome TEXT,
            last_answer TEXT,
            last_attempt_at INTEGER,
            progress BLOB,
            payload BLOB NOT NULL
          );
          CREATE INDEX deliveries_of_target ON deliveries (queue, target, state, due_at);
          CREATE INDEX deliveries_of_key ON deliveries (queue, target, order_key, state, id)
            WHERE order_key IS NOT NULL;
          CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 1;
          CREATE TABLE dead_letters (
            id BLOB NOT NULL PRIMARY KEY,
            queue TEXT NOT NULL,
            target TEXT NOT NULL,
            order_key TEXT,
            accepted_at INTEGER NOT NULL,
            lifetime INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            max_attempts INTEGER NOT NULL,
            reason TEXT NOT NULL,
            last_outcome TEXT,
            last_answer TEXT,
            last_attempt_at INTEGER,
            died_at INTEGER NOT NULL,
            report_at INTEGER,
            progress BLOB,
            payload BLOB NOT NULL
          );
          CREATE INDEX dead_letters_of_queue ON dead_letters (queue, died_at, id);
          CREATE INDEX dead_letters_of_target ON dead_letters (queue, target, died_at, id);
          CREATE INDEX dead_letters_unreported ON dead_letters (queue, report_at)
            WHERE report_at IS NOT NULL;",
};

/// `trace` is the `traceparent` of what caused the delivery.
const JOURNEYS: Migration = Migration {
    name: "the journeys that deliveries belong to",
    sql: "ALTER TABLE deliveries ADD COLUMN trace TEXT;
          ALTER TABLE dead_letters ADD COLUMN trace TEXT;",
};
