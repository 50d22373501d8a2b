//! Which event goes to which handler.
//!
//! A hub has an ordered list of handlers. Each event looks through it on its own and takes the first
//! handler that wants it.

use axum::http::HeaderValue;
use kernel::Secret;

use super::template::UrlTemplate;
use crate::name;

/// The name of an event, as handlers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName<'a> {
    /// A client wants to connect; the handler decides.
    Connect,
    /// A client has connected.
    Connected,
    /// A client is gone.
    Disconnected,
    /// A client sent an event of this name.
    User(&'a str),
}

impl<'a> EventName<'a> {
    /// The name without its class.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Connect => "connect",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::User(name) => name,
        }
    }
}

/// A place that events go to. No two of them need to agree on anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHandler {
    /// Where events are posted.
    pub url: UrlTemplate,
    /// The user events that it wants.
    pub user_events: EventPattern,
    /// The system events that it wants.
    pub system_events: SystemEvents,
    /// How it knows us, besides the signature.
    pub auth: HandlerAuth,
}

impl EventHandler {
    /// Whether the handler wants an event.
    pub fn wants(&self, event: EventName<'_>) -> bool {
        match event {
            EventName::Connect => self.system_events.connect,
            EventName::Connected => self.system_events.connected,
            EventName::Disconnected => self.system_events.disconnected,
            EventName::User(name) => self.user_events.matches(name),
        }
    }
}

/// A choice of system events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemEvents {
    /// `connect`, which the handler answers before the client is let in.
    pub connect: bool,
    /// `connected`.
    pub connected: bool,
    /// `disconnected`.
    pub disconnected: bool,
}

/// Why a setting of a handler does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A system event that does not exist.
    #[error("'{0}' is no system event; there are connect, connected and disconnected")]
    SystemEvent(String),
    /// Something in a pattern that is no event name.
    #[error(
        "'{0}' is no event name; a pattern is *, or names with commas between them, and a name is a \
         letter followed by letters, digits, '_', '.' or '-'"
    )]
    EventName(String),
    /// A bearer token that no header can carry.
    #[error("the bearer token holds a character that a header cannot carry, such as a line break")]
    Token,
}

impl SystemEvents {
    /// Reads a list of names, ignoring case.
    ///
    /// # Errors
    /// [`SettingError::SystemEvent`] names the one that does not exist.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, SettingError> {
        let mut events = Self::default();
        for name in names {
            match name.trim().to_ascii_lowercase().as_str() {
                "connect" => events.connect = true,
                "connected" => events.connected = true,
                "disconnected" => events.disconnected = true,
                _ => return Err(SettingError::SystemEvent(name.to_owned())),
            }
        }
        Ok(events)
    }
}

/// A choice of user events; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPattern(Choice);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    All,
    Names(Box<[Box<str>]>),
}

impl Default for Choice {
    fn default() -> Self {
        Self::Names(Box::default())
    }
}

impl EventPattern {
    /// Reads `*` for all events, names with commas between them, or nothing for none.
    ///
    /// # Errors
    /// [`SettingError::EventName`] names the part that can never match.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        if let Some(bad) = parts().find(|part| *part != "*" && !name::is_event(part)) {
            return Err(SettingError::EventName(bad.to_owned()));
        }
        if parts().any(|part| part == "*") {
            return Ok(Self(Choice::All));
        }
        Ok(Self(Choice::Names(parts().map(Into::into).collect())))
    }

    fn matches(&self, event: &str) -> bool {
        match &self.0 {
            Choice::All => true,
            Choice::Names(names) => names.iter().any(|name| name.eq_ignore_ascii_case(event)),
        }
    }
}

/// What a handler is shown to know us by. Every request is signed besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandlerAuth {
    /// Nothing.
    #[default]
    None,
    /// A header `Authorization: Bearer …`; the value is marked as sensitive and never printed.
    Bearer(HeaderValue),
}

impl HandlerAuth {
    /// A fixed bearer token.
    ///
    /// # Errors
    /// [`SettingError::Token`] when a header cannot carry it.
    pub fn bearer(token: &Secret) -> Result<Self, SettingError> {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut value = value.map_err(|_| SettingError::Token)?;
        value.set_sensitive(true);
        Ok(Self::Bearer(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_user_events() {
        for (pattern, event, matches) in [
            ("*", "anything", true),
            ("a,*", "anything", true),
            ("message", "message", true),
            ("Message", "mESSAGE", true),
            ("message", "messages", false),
            ("order, refund ,", "refund", true),
            ("order,refund", "order,refund", false),
            ("", "message", false),
            (" , ", "message", false),
        ] {
            let parsed = EventPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(event), matches, "{pattern:?} {event:?}");
        }
        assert!(!EventPattern::default().matches("message"));
    }

    #[test]
    fn a_pattern_that_can_never_match_is_refused() {
        for bad in ["chat.*", "a b", "1st", "order;refund"] {
            let error = EventPattern::parse(bad).unwrap_err();
            assert_eq!(error, SettingError::EventName(bad.to_owned()));
        }
    }

    #[test]
    fn system_events_are_chosen_by_name() {
        let chosen = SystemEvents::parse(["Connect", " disconnected"]).unwrap();
        assert_eq!(chosen, SystemEvents { connect: true, connected: false, disconnected: true });
        assert_eq!(SystemEvents::parse([]).unwrap(), SystemEvents::default());
        let error = SystemEvents::parse(["message"]).unwrap_err();
        assert!(error.to_string().contains("connect, connected and disconnected"), "{error}");
    }

    #[test]
    fn a_handler_wants_what_was_chosen() {
        let handler = EventHandler {
            url: UrlTemplate::parse("http://h/").unwrap(),
            user_events: EventPattern::parse("order").unwrap(),
            system_events: SystemEvents::parse(["connected"]).unwrap(),
            auth: HandlerAuth::None,
        };
        assert!(handler.wants(EventName::Connected) && handler.wants(EventName::User("ORDER")));
        assert!(!handler.wants(EventName::Connect) && !handler.wants(EventName::Disconnected));
        assert!(!handler.wants(EventName::User("connected")), "a user event is no system event");
    }

    #[test]
    fn a_token_is_never_printed_and_cannot_split_a_header() {
        let auth = HandlerAuth::bearer(&Secret::new("hidden")).unwrap();
        assert!(!format!("{auth:?}").contains("hidden"));
        let HandlerAuth::Bearer(value) = auth else { panic!("a bearer token was given") };
        assert_eq!(value, "Bearer hidden");
        assert_eq!(HandlerAuth::bearer(&Secret::new("a\nb")), Err(SettingError::Token));
    }
}
