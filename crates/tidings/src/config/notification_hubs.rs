//! The section `[notification_hubs]` and its hubs.

use kernel::Secret;
use notificationhubs::pns_credentials::PnsCredentials;

use super::build::{Builder, seconds};
use super::file::Table;
use super::layers::Settings;
use super::model::{NotificationHub, NotificationHubs};
use super::table::NOTIFICATION_HUB;
use crate::paths;

const NAME: &str = "notification_hubs.hub.name";
const CREDENTIALS: &str = "notification_hubs.hub.credentials_file";

impl Builder<'_> {
    /// Notification Hubs, from its section and its tables.
    pub(super) fn notification_hubs(
        &mut self,
        settings: &Settings,
        tables: &[Table],
    ) -> NotificationHubs {
        let hubs = tables.iter().filter(|it| it.section == NOTIFICATION_HUB);
        self.unique_in(hubs.clone(), NAME, "name of a notification hub");
        let namespace = settings.text("notification_hubs.namespace").unwrap_or_default();
        NotificationHubs {
            namespace: namespace.to_owned(),
            namespace_may_send: settings.boolean("notification_hubs.namespace_may_send"),
            delivery_window: seconds(settings, "notification_hubs.delivery_window_seconds"),
            keep_reports: seconds(settings, "notification_hubs.keep_reports_seconds"),
            fake_push: settings.text("notification_hubs.fake_push").map(str::to_owned),
            hubs: hubs.filter_map(|table| self.notification_hub(table)).collect(),
        }
    }

    fn notification_hub(&mut self, table: &Table) -> Option<NotificationHub> {
        self.require(table);
        let name = table.settings.text(NAME)?.to_owned();
        if paths::is_taken(&name) {
            let message = format!("\"{name}\" is reserved: its paths belong to another service");
            self.error(&table.settings.place(NAME), message, "choose another name");
        }
        let credentials = table.settings.text(CREDENTIALS).and_then(|file| {
            let place = table.settings.place(CREDENTIALS);
            let text = self.read(CREDENTIALS, file, &place)?;
            if let Err(error) = PnsCredentials::parse(&text) {
                self.error(&place, error.message().to_owned(), "correct the file");
            }
            Some(Secret::new(text))
        });
        Some(NotificationHub { name, credentials })
    }
}
