//! The keys of Notification Hubs: the service and its hubs.

use super::{Key, Kind, Literal, Modes, Preset};

/// Every key of Notification Hubs, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "notification_hubs.namespace",
        kind: Kind::Name,
        preset: Preset::Always(Literal::Text("local")),
        modes: Modes::Both,
        doc: "The namespace of requests whose host does not begin with the name of one, and of the \
              hubs of this configuration.",
    },
    Key {
        path: "notification_hubs.namespace_may_send",
        kind: Kind::Boolean,
        preset: Preset::Always(Literal::Boolean(true)),
        modes: Modes::Both,
        doc: "Whether the policies of a namespace may send through its hubs, if they have the right. \
              If not, only policies of a hub may.",
    },
    Key {
        path: "notification_hubs.delivery_window_seconds",
        kind: Kind::Integer { min: 1, max: 604_800, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(1800)),
        modes: Modes::Both,
        doc: "How long a device is tried again that could not be reached, from the moment a send was \
              accepted or due. Azure has 30 minutes.",
    },
    Key {
        path: "notification_hubs.keep_reports_seconds",
        kind: Kind::Integer { min: 60, max: 31_536_000, unit: "seconds" },
        preset: Preset::Always(Literal::Integer(604_800)),
        modes: Modes::Both,
        doc: "How long outcomes of notifications, and what push services refused, can be read.",
    },
    Key {
        path: "notification_hubs.fake_push",
        kind: Kind::Endpoint,
        preset: Preset::Absent(
            "Google itself; in development the fake push services of the program",
        ),
        modes: Modes::ServeOnly,
        doc: "Where `tidings fake-push` listens, such as http://localhost:8090: messages to FCM go \
              there, for tests. The endpoint of Apple is part of a hub's credential.",
    },
    Key {
        path: "notification_hubs.hub.name",
        kind: Kind::Text,
        preset: Preset::Required,
        modes: Modes::ServeOnly,
        doc: "The name of the hub: letters, digits, '-', '.' and '_'.",
    },
    Key {
        path: "notification_hubs.hub.credentials_file",
        kind: Kind::Path,
        preset: Preset::Absent("credentials are set by management calls"),
        modes: Modes::ServeOnly,
        doc: "A JSON file with the credentials for push services, as management calls have them: \
              {\"apnsCredential\": {\"properties\": {…}}, \"fcmV1Credential\": …, \
              \"browserCredential\": …}. Read at every start; the file has secrets in it.",
    },
];
