//! `tidings events …`: publishing to a topic as an application would, and asking the server how
//! deliveries fare.
//!
//! What is printed for people is one line for one thing; `--json` prints what the server says.

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, StatusCode};
use edge::outbound::{AddressPolicy, Limits, Outbound};
use eventgrid::topic::Topic;
use kernel::{Clock, SystemClock};
use serde_json::{Value, json};

use super::admin::{Admin, query};
use super::publish::{self, Content};
use super::tail;
use crate::config::{Config, Mode};
use crate::keys::{self, TopicAccess};
use crate::{terminal, trust};

const LIMITS: Limits = Limits {
    timeout: std::time::Duration::from_secs(30),
    header_bytes: 64 * 1024,
    body_bytes: 64 * 1024,
};

/// An event to publish.
pub struct NewEvent {
    /// Its type.
    pub event_type: String,
    /// What it is about.
    pub subject: String,
    /// Its data, JSON.
    pub content: Content,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Of this event subscription.
    pub subscription: Option<String>,
    /// Of this topic.
    pub topic: Option<String>,
    /// Given up for this reason.
    pub reason: Option<String>,
    /// This one.
    pub id: Option<String>,
    /// All, where nothing else is said.
    pub all: bool,
}

/// Publishes an event.
///
/// # Errors
/// For an unknown topic, data that is not JSON, or a server that cannot be reached or refuses.
pub async fn send(
    config: &Config,
    topic: &str,
    endpoint: Option<&str>,
    event: &NewEvent,
) -> anyhow::Result<()> {
    let TopicAccess { topic, keys, served } = keys::topic_access(config, topic).await?;
    let base = endpoint.map(str::to_owned).or(served);
    let base = base.context("the server has no address yet: start it, or give --endpoint")?;
    let base = base.trim_end_matches('/');
    let data: Value = serde_json::from_slice(&publish::read(&event.content)?)
        .context("the data is not JSON; quote it for the shell: '{\"a\": 1}' or '\"text\"'")?;
    let (content_type, body) = written(&topic, event, &data);
    let mut key = HeaderValue::try_from(keys.key1.expose())?;
    key.set_sensitive(true);
    let name = topic.id.name();
    let request = Request::post(format!("{base}/topics/{name}/api/events?api-version=2018-01-01"))
        .header("aeg-sas-key", key)
        .header(CONTENT_TYPE, content_type)
        .body(Bytes::from(body.to_string()))?;
    let own_ca = Some(trust::ca_file(&config.data.folder));
    let ca = own_ca.filter(|file| config.mode == Mode::Dev && file.exists());
    // The address is the operator's own word, so it needs no guard.
    let outbound = Outbound::new(AddressPolicy::everything(), ca.as_deref())?;
    let answer = outbound.send(request, LIMITS).await?;
    if answer.status() != StatusCode::OK {
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let said = said["error"]["message"].as_str().unwrap_or("nothing more");
        bail!("the server answered {}: {said}", answer.status());
    }
    terminal::complain(&format!("sent to the topic {name}\n"));
    Ok(())
}

/// Prints the live tail until Ctrl-C.
///
/// # Errors
/// When the server does not answer, or goes.
pub async fn tail(admin: &Admin, as_json: bool) -> anyhow::Result<()> {
    tail::tail(admin, "/eventgrid/tail", as_json, tail_line).await
}

/// Prints event subscriptions.
///
/// # Errors
/// When the server does not answer.
pub async fn subscriptions(
    admin: &Admin,
    topic: Option<&str>,
    as_json: bool,
) -> anyhow::Result<()> {
    let query = query(&[("topic", topic)]);
    let answer = admin.get(&format!("/eventgrid/subscriptions?{query}")).await?;
    say_all(&answer, as_json, subscription_line)
}

/// Prints dead letters.
///
/// # Errors
/// When the server does not answer, or knows no such event subscription.
pub async fn dead_letters(
    admin: &Admin,
    choice: &Choice,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<()> {
    let limit = limit.to_string();
    let query = query(&[
        ("subscription", choice.subscription.as_deref()),
        ("topic", choice.topic.as_deref()),
        ("reason", choice.reason.as_deref()),
        ("id", choice.id.as_deref()),
        ("limit", Some(&limit)),
    ]);
    let answer = admin.get(&format!("/eventgrid/dead-letters?{query}")).await?;
    say_all(&answer, as_json, letter_line)?;
    if !answer["next"].is_null() {
        terminal::complain("there are more; --limit shows them\n");
    }
    Ok(())
}

/// Puts dead letters back.
///
/// # Errors
/// When the server does not answer, or nothing says which.
pub async fn redrive(admin: &Admin, choice: &Choice) -> anyhow::Result<()> {
    let body = json!({
        "subscription": choice.subscription,
        "topic": choice.topic,
        "reason": choice.reason,
        "id": choice.id,
        "all": choice.all,
    });
    let answer = admin.post("/eventgrid/dead-letters/redrive", &body).await?;
    Ok(terminal::say(&format!("{} put back\n", answer["redriven"]))?)
}

/// An event in the schema of its topic.
fn written(topic: &Topic, event: &NewEvent, data: &Value) -> (&'static str, Value) {
    let id = edge::RequestId::random().as_str().to_owned();
    let time = eventgrid::time_text(SystemClock.now());
    let schema = topic.custom().map_or("", |it| it.input_schema.name());
    match schema {
        "CloudEventSchemaV1_0" => (
            "application/cloudevents+json; charset=utf-8",
            json!({ "specversion": "1.0", "id": id, "source": "tidings", "time": time,
                "type": event.event_type, "subject": event.subject, "data": data }),
        ),
        "CustomEventSchema" => ("application/json", json!([data])),
        _ => (
            "application/json",
            json!([{ "id": id, "eventType": event.event_type, "subject": event.subject,
                "eventTime": time, "data": data, "dataVersion": "1" }]),
        ),
    }
}

fn say_all(answer: &Value, as_json: bool, line: fn(&Value) -> String) -> anyhow::Result<()> {
    let items = answer["value"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        terminal::complain("none\n");
    }
    for item in items {
        let text = if as_json { format!("{item}\n") } else { line(item) };
        terminal::say(&text)?;
    }
    Ok(())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("-")
}

fn subscription_line(it: &Value) -> String {
    let state = if it["expired"] == true { "Expired" } else { text(it, "state") };
    let last = it["health"]["lastOutcome"].as_str().unwrap_or("-");
    let mut line = format!(
        "{}/{}  {state}  queued {}  dead {}  last {last}  to {}",
        text(it, "topic"),
        text(it, "name"),
        it["queued"],
        it["dead"],
        text(it, "destination")
    );
    if let Some(until) = it["health"]["probationUntil"].as_str() {
        line.push_str(&format!("  on probation until {until}"));
    }
    if let Some(reason) = it["reason"].as_str() {
        line.push_str(&format!("  ({reason})"));
    }
    line + "\n"
}

fn letter_line(it: &Value) -> String {
    format!(
        "{}  {}  {}  {} after {} attempts  last {}  {}\n",
        text(it, "died"),
        text(it, "eventSubscription"),
        text(it, "eventType"),
        text(it, "reason"),
        it["attempts"],
        text(it, "lastOutcome"),
        text(it, "id")
    )
}

fn tail_line(it: &Value) -> String {
    let (time, name) = (text(it, "time"), text(it, "eventSubscription"));
    let told = match text(it, "kind") {
        "published" => {
            let receivers = it["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
            let names: Vec<&str> =
                receivers.iter().map(|it| text(it, "eventSubscription")).collect();
            let to = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            format!("published  {} {} for {to}", text(it, "eventType"), text(it, "id"))
        }
        "delivered" => format!("delivered  to {name} after {} ms", it["afterMs"]),
        "failed" => {
            format!(
                "failed     {} at {name}, again {}",
                text(it, "outcome"),
                text(it, "nextAttempt")
            )
        }
        "deadLettered" => {
            format!("given up   {} at {name}, last {}", text(it, "reason"), text(it, "outcome"))
        }
        "probation" => format!("probation  {name} until {}", text(it, "until")),
        "recovered" => format!("recovered  {name}"),
        "missed" => return format!("… {} lines missed: this terminal is too slow\n", it["lines"]),
        other => other.to_owned(),
    };
    format!("{time}  {told}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_people_say_what_happened() {
        let published = json!({ "kind": "published", "time": "T", "eventType": "a", "id": "1",
            "deliveries": [{ "eventSubscription": "one" }, { "eventSubscription": "two" }] });
        assert_eq!(tail_line(&published), "T  published  a 1 for one, two\n");
        let failed = json!({ "kind": "failed", "time": "T", "eventSubscription": "one",
            "outcome": "Busy", "nextAttempt": "U" });
        assert_eq!(tail_line(&failed), "T  failed     Busy at one, again U\n");
        assert!(tail_line(&json!({ "kind": "missed", "lines": 7 })).contains("7 lines missed"));
    }

    #[test]
    fn a_subscription_in_trouble_says_why() {
        let line = subscription_line(&json!({ "topic": "local", "name": "one", "queued": 3,
            "dead": 1, "state": "Creating", "destination": "http://h/", "reason": "503",
            "health": { "lastOutcome": "Busy", "probationUntil": "U" } }));
        let expected = "local/one  Creating  queued 3  dead 1  last Busy  to http://h/  \
                        on probation until U  (503)\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn names_are_escaped_in_queries() {
        assert_eq!(query(&[("a", None), ("b", Some("c&d"))]), "b=c%26d");
    }
}
