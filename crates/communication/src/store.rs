//! The tables of this crate. Their queries live beside what they are for: `identity::store`,
//! `chat::store`, `signaling::journal`.
//!
//! Moments are microseconds since 1970, but for `id`, `version` and the limits of what a participant
//! may see in a thread: those are milliseconds, since a message's id is its time.

use storage::Migration;

/// What `Db::migrate` is given under the name `communication`.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "resources, identities and signing keys",
        sql: "CREATE TABLE communication_resources (
                name TEXT NOT NULL PRIMARY KEY,
                immutable_id TEXT NOT NULL
              );
              CREATE TABLE signing_keys (
                kid TEXT NOT NULL PRIMARY KEY,
                made_at BIGINT NOT NULL,
                sealed TEXT NOT NULL
              );
              CREATE TABLE identities (
                raw_id TEXT NOT NULL PRIMARY KEY,
                resource TEXT NOT NULL,
                custom_id TEXT,
                generation BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                last_token_at BIGINT
              );
              CREATE UNIQUE INDEX identities_by_custom_id ON identities (resource, custom_id);",
    },
    Migration {
        name: "chat",
        sql: "CREATE TABLE chat_threads (
                id TEXT NOT NULL PRIMARY KEY,
                resource TEXT NOT NULL,
                topic TEXT NOT NULL,
                metadata TEXT NOT NULL,
                retention_days BIGINT,
                created_by TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                revision BIGINT NOT NULL,
                last_sequence BIGINT NOT NULL,
                last_message BIGINT NOT NULL,
                changed_at BIGINT NOT NULL,
                expires_at BIGINT,
                deleted_at BIGINT,
                emptied_at BIGINT
              );
              CREATE INDEX chat_threads_to_expire ON chat_threads (expires_at)
                WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
              CREATE INDEX chat_threads_to_empty ON chat_threads (deleted_at)
                WHERE deleted_at IS NOT NULL AND emptied_at IS NULL;
              CREATE TABLE chat_participants (
                thread TEXT NOT NULL,
                participant TEXT NOT NULL,
                position BIGINT NOT NULL,
                display_name TEXT,
                share_history_at BIGINT,
                metadata TEXT NOT NULL,
                visible_from BIGINT NOT NULL,
                visible_to BIGINT,
                PRIMARY KEY (thread, participant)
              );
              CREATE INDEX chat_threads_of_participant ON chat_participants (participant, thread);
              CREATE TABLE chat_messages (
                thread TEXT NOT NULL,
                id BIGINT NOT NULL,
                sequence BIGINT NOT NULL,
                version BIGINT NOT NULL,
                kind TEXT NOT NULL,
                content TEXT,
                sender TEXT,
                sender_display_name TEXT,
                metadata TEXT NOT NULL,
                edited_at BIGINT,
                deleted_at BIGINT,
                PRIMARY KEY (thread, id)
              );
              CREATE UNIQUE INDEX chat_messages_by_sequence ON chat_messages (thread, sequence);
              CREATE INDEX chat_messages_changed ON chat_messages (thread, version)
                WHERE version > id;
              CREATE TABLE chat_read_receipts (
                thread TEXT NOT NULL,
                participant TEXT NOT NULL,
                message BIGINT NOT NULL,
                read_at BIGINT NOT NULL,
                PRIMARY KEY (thread, participant)
              );
              CREATE TABLE chat_repeatable_requests (
                caller TEXT NOT NULL,
                request_id TEXT NOT NULL,
                thread TEXT NOT NULL,
                refused TEXT NOT NULL,
                made_at BIGINT NOT NULL,
                PRIMARY KEY (caller, request_id)
              );
              CREATE INDEX chat_repeatable_requests_by_age ON chat_repeatable_requests (made_at);",
    },
    Migration {
        name: "real-time notifications",
        sql: "CREATE TABLE signaling_registrations (
                participant TEXT NOT NULL,
                name TEXT NOT NULL,
                app TEXT NOT NULL,
                transports TEXT NOT NULL,
                expires_at BIGINT NOT NULL,
                away_since BIGINT,
                PRIMARY KEY (participant, name)
              );
              CREATE INDEX signaling_registrations_to_expire
                ON signaling_registrations (expires_at);
              CREATE TABLE signaling_journal (
                position INTEGER PRIMARY KEY,
                thread TEXT NOT NULL,
                version BIGINT NOT NULL,
                message BIGINT,
                kind BIGINT NOT NULL,
                spared TEXT,
                transaction_id TEXT NOT NULL,
                tail TEXT NOT NULL
              );
              CREATE INDEX signaling_journal_of_thread ON signaling_journal (thread, version);",
    },
    Migration {
        name: "endings of identities, for other servers",
        sql: "CREATE TABLE identity_revision (number BIGINT NOT NULL);
              INSERT INTO identity_revision (number) VALUES (0);
              CREATE TABLE identity_endings (
                number BIGINT NOT NULL PRIMARY KEY,
                raw_id TEXT NOT NULL,
                generation BIGINT,
                ended_at BIGINT NOT NULL
              );
              CREATE INDEX identity_endings_by_age ON identity_endings (ended_at);",
    },
];
