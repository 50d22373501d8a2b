//! The handlers of one hub.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use tokio::sync::Semaphore;

use super::request::header_text;
use super::settings::{EventHandler, EventName};
use crate::name::HubName;

/// How many requests one handler may have at once by default.
pub const DEFAULT_CONCURRENCY: usize = 512;

/// The handlers of one hub, shared by its connections.
pub struct HubHandlers {
    name: HubName,
    origin: HeaderValue,
    concurrency: usize,
    handlers: ArcSwap<Vec<Arc<Handler>>>,
}

/// A handler with what is known of it since the start. The limit on requests is its own, so that a
/// slow handler does not use up what another needs.
pub(super) struct Handler {
    pub(super) settings: EventHandler,
    pub(super) permits: Semaphore,
    failing: AtomicBool,
}

impl HubHandlers {
    /// The handlers of hub `name`, in order of precedence. `origin` is the host name of the service,
    /// as handlers know it, with the port when it is not the usual one. Each handler gets at most
    /// `concurrency` requests at once.
    pub fn new(
        name: HubName,
        origin: &str,
        handlers: Vec<EventHandler>,
        concurrency: usize,
    ) -> Self {
        let this =
            Self { name, origin: header_text(origin), concurrency, handlers: ArcSwap::default() };
        this.replace(handlers);
        this
    }

    /// Uses other handlers from the next event on.
    pub fn replace(&self, handlers: Vec<EventHandler>) {
        let handler = |settings| {
            let permits = Semaphore::new(self.concurrency);
            Arc::new(Handler { settings, permits, failing: AtomicBool::new(false) })
        };
        self.handlers.store(Arc::new(handlers.into_iter().map(handler).collect()));
    }

    /// Whether some handler wants an event.
    pub fn wants(&self, event: EventName<'_>) -> bool {
        self.handler(event).is_some()
    }

    /// The hub's name.
    pub fn name(&self) -> &HubName {
        &self.name
    }

    pub(super) fn origin(&self) -> &HeaderValue {
        &self.origin
    }

    /// The first handler that wants an event.
    pub(super) fn handler(&self, event: EventName<'_>) -> Option<Arc<Handler>> {
        self.handlers.load().iter().find(|it| it.settings.wants(event)).cloned()
    }
}

impl Handler {
    /// Notes how the last event went; returns whether that is news.
    pub(super) fn note(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed) != failing
    }
}

impl fmt::Debug for HubHandlers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HubHandlers({})", self.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{EventPattern, HandlerAuth, SystemEvents, UrlTemplate};

    fn handler(url: &str, user_events: &str, system_events: &[&str]) -> EventHandler {
        EventHandler {
            url: UrlTemplate::parse(url).unwrap(),
            user_events: EventPattern::parse(user_events).unwrap(),
            system_events: SystemEvents::parse(system_events.iter().copied()).unwrap(),
            auth: HandlerAuth::None,
        }
    }

    #[test]
    fn the_first_handler_that_wants_an_event_gets_it() {
        let hub = HubHandlers::new(
            HubName::parse("chat").unwrap(),
            "h",
            vec![
                handler("http://first/", "order", &["connected"]),
                handler("http://second/", "*", &["connect", "connected"]),
            ],
            1,
        );
        let chosen = |event| hub.handler(event).map(|it| it.settings.url.to_string());
        assert_eq!(chosen(EventName::User("order")).unwrap(), "http://first/");
        assert_eq!(chosen(EventName::User("other")).unwrap(), "http://second/");
        assert_eq!(chosen(EventName::Connect).unwrap(), "http://second/");
        assert_eq!(chosen(EventName::Connected).unwrap(), "http://first/");
        assert!(!hub.wants(EventName::Disconnected));
        hub.replace(Vec::new());
        assert!(!hub.wants(EventName::Connect));
    }

    #[test]
    fn only_changes_are_news() {
        let hub = HubHandlers::new(
            HubName::parse("chat").unwrap(),
            "h",
            vec![handler("http://h/", "*", &[])],
            1,
        );
        let handler = hub.handler(EventName::User("e")).unwrap();
        let news = [false, true, true, false].map(|failing| handler.note(failing));
        assert_eq!(news, [false, true, false, true]);
    }
}
