//! The tables, in numbered steps.

use storage::Migration;

/// `hub` is a small number, since it stands in every row of the large tables. `place` is the key of a
/// registration: sends walk through devices in its order. `kind` is 0 for a registration without a
/// template, 1 for one with. A policy with hub 0 is of the namespace.
pub(super) const MIGRATIONS: [Migration; 3] = [DEVICES, SENDS, REPORTS];

const DEVICES: Migration = Migration {
    name: "notification hubs, devices, notifications",
    sql: "CREATE TABLE push_hubs (
            hub INTEGER NOT NULL PRIMARY KEY,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            shown_name TEXT NOT NULL,
            document TEXT NOT NULL,
            credentials BLOB NOT NULL,
            registration_ttl INTEGER,
            created INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            UNIQUE (namespace, name)
          );
          CREATE TABLE push_policies (
            namespace TEXT NOT NULL,
            hub INTEGER NOT NULL,
            name TEXT NOT NULL,
            rights TEXT NOT NULL,
            primary_key BLOB NOT NULL,
            secondary_key BLOB NOT NULL,
            created INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            PRIMARY KEY (namespace, hub, name)
          );
          CREATE TABLE push_registrations (
            place INTEGER NOT NULL PRIMARY KEY,
            hub INTEGER NOT NULL,
            id TEXT NOT NULL,
            etag INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            platform TEXT NOT NULL,
            address TEXT NOT NULL,
            p256dh TEXT,
            auth TEXT,
            tags TEXT NOT NULL,
            variables TEXT,
            template TEXT,
            tile TEXT,
            installation TEXT,
            part TEXT,
            expires_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            UNIQUE (hub, id)
          );
          CREATE INDEX push_registrations_of_hub ON push_registrations (hub, place);
          CREATE INDEX push_registrations_of_address ON push_registrations (hub, address);
          CREATE INDEX push_registrations_of_installation ON push_registrations (hub, installation)
            WHERE installation IS NOT NULL;
          CREATE INDEX push_registrations_expiring ON push_registrations (expires_at)
            WHERE expires_at < 253402300799999999;
          CREATE TABLE push_tags (
            hub INTEGER NOT NULL,
            tag TEXT NOT NULL,
            place INTEGER NOT NULL REFERENCES push_registrations (place) ON DELETE CASCADE,
            PRIMARY KEY (hub, tag, place)
          );
          CREATE INDEX push_tags_of_registration ON push_tags (place);
          CREATE TABLE push_installations (
            hub INTEGER NOT NULL,
            id TEXT NOT NULL,
            version INTEGER NOT NULL,
            document TEXT NOT NULL,
            channel_expired INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            PRIMARY KEY (hub, id)
          );
          CREATE INDEX push_installations_expiring ON push_installations (expires_at)
            WHERE expires_at < 253402300799999999;
          CREATE TABLE push_notifications (
            hub INTEGER NOT NULL,
            id TEXT NOT NULL,
            state TEXT NOT NULL,
            enqueued_at INTEGER NOT NULL,
            started_at INTEGER,
            ended_at INTEGER,
            body TEXT NOT NULL,
            tags TEXT,
            platforms TEXT NOT NULL,
            PRIMARY KEY (hub, id)
          );
          CREATE INDEX push_notifications_ended ON push_notifications (ended_at)
            WHERE ended_at IS NOT NULL;
          CREATE TABLE push_outcomes (
            hub INTEGER NOT NULL,
            notification TEXT NOT NULL,
            platform TEXT NOT NULL,
            outcome TEXT NOT NULL,
            devices INTEGER NOT NULL,
            PRIMARY KEY (hub, notification, platform, outcome)
          );
          CREATE TABLE push_feedback (
            place INTEGER NOT NULL PRIMARY KEY,
            hub INTEGER NOT NULL,
            at INTEGER NOT NULL,
            error TEXT NOT NULL,
            platform TEXT NOT NULL,
            handle TEXT NOT NULL,
            registration TEXT,
            installation TEXT,
            notification TEXT,
            new_handle TEXT
          );
          CREATE INDEX push_feedback_of_hub ON push_feedback (hub, place);
          CREATE INDEX push_feedback_by_time ON push_feedback (at);",
};

/// `parts` of a notification are the deliveries that it still waits for. A request is what a client
/// may send twice; its answer is the id of the notification.
const SENDS: Migration = Migration {
    name: "parts of notifications, requests, namespaces",
    sql: "ALTER TABLE push_notifications ADD COLUMN parts INTEGER NOT NULL DEFAULT 1;
          CREATE INDEX push_notifications_of_hub ON push_notifications (hub, enqueued_at);
          CREATE TABLE push_requests (
            hub INTEGER NOT NULL,
            request TEXT NOT NULL,
            answer TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (hub, request)
          );
          CREATE INDEX push_requests_by_time ON push_requests (at);
          CREATE TABLE push_namespaces (
            name TEXT NOT NULL PRIMARY KEY,
            document TEXT NOT NULL,
            created INTEGER NOT NULL,
            changed INTEGER NOT NULL
          );",
};

/// For the count of sends that wait for their time, which is asked for again and again, and for the
/// refusals of one notification or one day.
const REPORTS: Migration = Migration {
    name: "notifications that wait, refusals of one notification",
    sql: "CREATE INDEX push_notifications_scheduled ON push_notifications (hub)
            WHERE state = 'Scheduled';
          CREATE INDEX push_feedback_of_notification ON push_feedback (hub, notification, place);
          CREATE INDEX push_feedback_of_day ON push_feedback (hub, at);",
};
