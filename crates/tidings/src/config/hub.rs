//! The `[[resource.hub]]` tables and the event handlers below them.

use std::time::Duration;

use webpubsub::name::HubName;
use webpubsub::upstream::{EventPattern, HandlerAuth, SystemEvents, UrlTemplate};

use super::build::Builder;
use super::file::Table;
use super::layers::Settings;
use super::model::{EventHandler, Hub};
use super::problem::{Place, Problem};
use super::secrets::{Found, Named};
use super::table::{EVENT_HANDLER, HUB};
use super::value::Value;

const NAME: &str = "resource.hub.name";
const URL: &str = "resource.hub.event_handler.url_template";
const USER_EVENTS: &str = "resource.hub.event_handler.user_events";
const SYSTEM_EVENTS: &str = "resource.hub.event_handler.system_events";
const AUTH: &str = "resource.hub.event_handler.auth";

const BEARER_TOKEN: Named = Named {
    file: "resource.hub.event_handler.bearer_token_file",
    variable: "resource.hub.event_handler.bearer_token_env",
    is_access_key: false,
};

impl Builder<'_> {
    /// The hubs of a resource; `keep_alive` is for those without a time of their own.
    pub(super) fn hubs(&mut self, resource: &Table, keep_alive: Duration) -> Vec<Hub> {
        let names = resource.of(HUB).filter_map(|table| {
            let name = table.settings.text(NAME)?;
            Some((name.to_ascii_lowercase(), table.settings.place(NAME)))
        });
        self.unique("name of a hub", &names.collect::<Vec<_>>());
        resource.of(HUB).filter_map(|table| self.hub(table, keep_alive)).collect()
    }

    fn hub(&mut self, table: &Table, keep_alive: Duration) -> Option<Hub> {
        self.require(table);
        let settings = &table.settings;
        let own = settings.get("resource.hub.keep_alive_seconds").map(|setting| &setting.value);
        let keep_alive = match own {
            Some(Value::Integer(seconds)) => Duration::from_secs(*seconds),
            _ => keep_alive,
        };
        let event_handlers =
            table.of(EVENT_HANDLER).filter_map(|table| self.event_handler(table)).collect();
        let name = match settings.text(NAME)? {
            "*" => None,
            text => Some(HubName::parse(text).expect("hub names were checked when they were read")),
        };
        Some(Hub {
            name,
            anonymous_connect: settings.text("resource.hub.anonymous_connect") == Some("allow"),
            keep_alive,
            event_handlers,
        })
    }

    fn event_handler(&mut self, table: &Table) -> Option<EventHandler> {
        self.require(table);
        let settings = &table.settings;
        let auth = self.handler_auth(settings);
        let user_events = settings.text(USER_EVENTS).unwrap_or_default();
        let user_events = EventPattern::parse(user_events).expect("patterns were checked");
        let names = settings.list(SYSTEM_EVENTS).iter().map(|(name, _)| name.as_str());
        let system_events = SystemEvents::parse(names).expect("system events were checked");
        let wants_nothing =
            system_events == SystemEvents::default() && user_events == EventPattern::default();
        if wants_nothing && table.faulty.is_empty() {
            self.problems.push(Problem::warning(
                &table.place,
                "this event handler wants no event, so it never gets one".to_owned(),
                "add user_events = \"*\" or system_events = [\"connect\", …]",
            ));
        }
        let url = UrlTemplate::parse(settings.text(URL)?).expect("URL templates were checked");
        Some(EventHandler { url, user_events, system_events, auth })
    }

    /// How the handler knows us. After a problem, [`HandlerAuth::None`] stands in.
    fn handler_auth(&mut self, settings: &Settings) -> HandlerAuth {
        let named =
            [BEARER_TOKEN.file, BEARER_TOKEN.variable].into_iter().find_map(|it| settings.get(it));
        match (settings.text(AUTH), named) {
            (Some("bearer"), Some(_)) => {
                let found = self.found(settings, &BEARER_TOKEN);
                found.map_or(HandlerAuth::None, |found| self.bearer(&found))
            }
            (Some("bearer"), None) => {
                self.error(
                    &settings.place(AUTH),
                    format!("{AUTH} is \"bearer\", but there is no token"),
                    "name it with bearer_token_file = \"…\" or bearer_token_env = \"…\"",
                );
                HandlerAuth::None
            }
            (_, Some(setting)) => {
                let place = setting.place.clone();
                let help = "add auth = \"bearer\", or remove the token";
                self.error(&place, "a bearer token is given, but not used".to_owned(), help);
                HandlerAuth::None
            }
            (_, None) => HandlerAuth::None,
        }
    }

    fn bearer(&mut self, found: &Found) -> HandlerAuth {
        let Found { secret, place, origin } = found;
        let refused = |builder: &mut Self, place: &Place, reason: &str| {
            let message = format!("the token in {origin} cannot be used: {reason}");
            builder.error(place, message, "give the token alone, on one line");
            HandlerAuth::None
        };
        if secret.expose().is_empty() {
            return refused(self, place, "it is empty");
        }
        match HandlerAuth::bearer(secret) {
            Ok(auth) => auth,
            Err(error) => refused(self, place, &error.to_string()),
        }
    }
}
