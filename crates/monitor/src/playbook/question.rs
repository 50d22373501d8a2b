//! What is asked: a symptom or none, and whom or what it is about.

use std::time::Duration;

use kernel::{Error, ErrorKind, Result, Secret};
use serde::{Deserialize, Serialize};

/// What people see when something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Symptom {
    /// A user of a chat is not told in real time.
    Realtime,
    /// A device gets no push.
    Push,
    /// A webhook is not called.
    Webhook,
    /// A client cannot connect.
    Connect,
    /// A publication or another call is refused.
    Publish,
}

impl Symptom {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Realtime, Self::Push, Self::Webhook, Self::Connect, Self::Publish];

    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Push => "push",
            Self::Webhook => "webhook",
            Self::Connect => "connect",
            Self::Publish => "publish",
        }
    }

    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Realtime => "a real-time notification is missing",
            Self::Push => "a push is missing on a device",
            Self::Webhook => "a webhook is not called",
            Self::Connect => "a client cannot connect",
            Self::Publish => "a publication or call is refused",
        }
    }
}

/// How far back records are read unless asked otherwise.
const USUAL_WINDOW: Duration = Duration::from_hours(1);
/// How far back they are read at most.
const LONGEST_WINDOW: Duration = Duration::from_hours(24 * 31);
/// Longest text of a question but its token, in bytes.
const MAX_TEXT: usize = 2048;

/// A question. What is not given is not narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What people see; `None` asks for everything.
    pub symptom: Option<Symptom>,
    /// The raw id of a user of the Communication Services, or a user of a hub's clients.
    pub user: Option<String>,
    /// A chat thread.
    pub thread: Option<String>,
    /// The registration id of a device.
    pub device: Option<String>,
    /// The name of an event subscription.
    pub subscription: Option<String>,
    /// One notification: its trace id, or the id of its request, message, event, notification or call.
    pub journey: Option<String>,
    /// A hub: of Web PubSub for connections, of Notification Hubs for pushes.
    pub hub: Option<String>,
    /// A token that does not work.
    pub token: Option<Secret>,
    /// The address that clients use, in place of the server's own.
    pub endpoint: Option<String>,
    /// The HTTP proxy that clients use.
    pub proxy: Option<String>,
    /// How far back records are read.
    pub since: Duration,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            symptom: None,
            user: None,
            thread: None,
            device: None,
            subscription: None,
            journey: None,
            hub: None,
            token: None,
            endpoint: None,
            proxy: None,
            since: USUAL_WINDOW,
        }
    }
}

/// A question as JSON. An empty text counts as not given, so that forms need no special case.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    symptom: Option<String>,
    user: Option<String>,
    thread: Option<String>,
    device: Option<String>,
    subscription: Option<String>,
    journey: Option<String>,
    hub: Option<String>,
    token: Option<String>,
    endpoint: Option<String>,
    proxy: Option<String>,
    since: Option<String>,
}

impl Question {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            let fields = "symptom, user, thread, device, subscription, journey, hub, token, \
                          endpoint, proxy and since";
            wrong(
                "body",
                format!("The body is a JSON object with {fields}, all optional: {error}."),
            )
        })?;
        let symptom = given(body.symptom).map(|it| symptom(&it)).transpose()?;
        let since = given(body.since).map(|it| window(&it)).transpose()?;
        let question = Self {
            symptom,
            user: given(body.user),
            thread: given(body.thread),
            device: given(body.device),
            subscription: given(body.subscription),
            journey: given(body.journey),
            hub: given(body.hub),
            token: given(body.token).map(Secret::new),
            endpoint: given(body.endpoint),
            proxy: given(body.proxy),
            since: since.unwrap_or(USUAL_WINDOW),
        };
        question.check()?;
        Ok(question)
    }

    /// The question as [`Question::parse`] reads it, with its token: for the one request that asks it.
    pub fn to_body(&self) -> serde_json::Value {
        let body = Body {
            symptom: self.symptom.map(|it| it.name().to_owned()),
            user: self.user.clone(),
            thread: self.thread.clone(),
            device: self.device.clone(),
            subscription: self.subscription.clone(),
            journey: self.journey.clone(),
            hub: self.hub.clone(),
            token: self.token.as_ref().map(|it| it.expose().to_owned()),
            endpoint: self.endpoint.clone(),
            proxy: self.proxy.clone(),
            since: Some(format!("{}s", self.since.as_secs())),
        };
        serde_json::to_value(body).expect("it is made of texts")
    }

    /// Whether the question is about pushes, realtime and so on, or about everything.
    pub fn concerns(&self, symptoms: &[Symptom]) -> bool {
        self.symptom.is_none_or(|it| symptoms.contains(&it))
    }

    fn check(&self) -> Result<()> {
        let texts = [
            ("user", &self.user),
            ("thread", &self.thread),
            ("device", &self.device),
            ("subscription", &self.subscription),
            ("journey", &self.journey),
            ("hub", &self.hub),
            ("endpoint", &self.endpoint),
            ("proxy", &self.proxy),
        ];
        for (name, text) in texts {
            if text.as_ref().is_some_and(|it| it.len() > MAX_TEXT || it.contains(char::is_control))
            {
                return Err(wrong(
                    name,
                    format!("{name} is one line of at most {MAX_TEXT} bytes."),
                ));
            }
        }
        address("endpoint", self.endpoint.as_deref(), &["https://", "http://", "wss://", "ws://"])?;
        address("proxy", self.proxy.as_deref(), &["http://"])
    }
}

/// An address is one before it is said that nobody answers there.
fn address(name: &'static str, text: Option<&str>, schemes: &[&str]) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let is_one = |scheme: &&str| text.strip_prefix(*scheme).is_some_and(|rest| !rest.is_empty());
    if schemes.iter().any(is_one) {
        return Ok(());
    }
    let schemes = schemes.join(" or ");
    let message = format!(
        "{name} is an address that begins with {schemes}, such as {}host:8080.",
        if name == "proxy" { "http://" } else { "https://" }
    );
    Err(wrong(name, message))
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

fn symptom(text: &str) -> Result<Symptom> {
    Symptom::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names = Symptom::ALL.map(Symptom::name).join(", ");
        wrong("symptom", format!("symptom is one of {names}, or absent for everything."))
    })
}

/// A span such as `90s`, `15m`, `1h` or `7d`.
fn window(text: &str) -> Result<Duration> {
    let refused = || wrong("since", "since is a span such as 90s, 15m, 1h or 7d, at most 31d.");
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let number: u64 = number.parse().map_err(|_| refused())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refused()),
    };
    let span = Duration::from_secs(number.saturating_mul(seconds));
    (!span.is_zero() && span <= LONGEST_WINDOW).then_some(span).ok_or_else(refused)
}

fn wrong(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(body: &serde_json::Value) -> Result<Question> {
        Question::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_question_is_read_and_written() {
        let body = json!({ "symptom": "realtime", "user": " 8:acs:x ", "since": "15m", "hub": "" });
        let question = parse(&body).unwrap();
        assert_eq!(question.symptom, Some(Symptom::Realtime));
        assert_eq!(question.user.as_deref(), Some("8:acs:x"));
        assert_eq!((question.hub.as_deref(), question.since), (None, Duration::from_mins(15)));
        assert_eq!(parse(&question.to_body()).unwrap(), question);
        assert_eq!(parse(&json!({})).unwrap(), Question::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, target) in [
            (json!({ "symptom": "pushes" }), "symptom"),
            (json!({ "since": "soon" }), "since"),
            (json!({ "since": "32d" }), "since"),
            (json!({ "since": "0h" }), "since"),
            (json!({ "since": "5ü" }), "since"),
            (json!({ "user": "a\nb" }), "user"),
            (json!({ "endpoint": "nonsense" }), "endpoint"),
            (json!({ "endpoint": "https://" }), "endpoint"),
            (json!({ "proxy": "https://p" }), "proxy"),
            (json!({ "usr": "x" }), "body"),
            (json!("x"), "body"),
        ] {
            assert_eq!(parse(&body).unwrap_err().target_name(), Some(target), "{body}");
        }
    }

    #[test]
    fn a_token_is_not_shown_by_debug_output() {
        let question = parse(&json!({ "token": "hunter2" })).unwrap();
        assert!(!format!("{question:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>, since: String) {
            let _ = Question::parse(&body);
            let _ = parse(&json!({ "since": since }));
        }
    }
}
