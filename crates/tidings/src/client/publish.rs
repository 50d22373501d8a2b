//! `tidings publish`: one REST call that sends a message.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use edge::outbound::{AddressPolicy, Limits, Outbound};
use kernel::{Clock, SystemClock};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use webpubsub::name::HubName;

use super::target::Target;
use crate::terminal;

/// The newest stable version of the REST calls.
const API_VERSION: &str = "2024-12-01";

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(30), header_bytes: 64 * 1024, body_bytes: 64 * 1024 };

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// Every client of the hub.
    All,
    /// The members of a group.
    Group(String),
    /// Every connection of a user.
    User(String),
    /// One connection.
    Connection(String),
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// UTF-8 text.
    Text,
    /// A JSON value.
    Json,
    /// Bytes.
    Binary,
}

/// Where a message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The command line.
    Given(String),
    /// A file, or standard input for `-`.
    File(PathBuf),
}

/// Sends a message.
///
/// # Errors
/// When the message cannot be read or is not of its form, the server cannot be reached, or refuses;
/// says what it said.
pub async fn run(
    target: &Target,
    hub: &HubName,
    receiver: &Receiver,
    content: &Content,
    form: Form,
) -> anyhow::Result<()> {
    let body = read(content)?;
    check(&body, form)?;
    let path = format!("{}?api-version={API_VERSION}", path(hub, receiver));
    let token = target.rest_token(&path, SystemClock.now());
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    bearer.set_sensitive(true);
    let request = Request::post(format!("{}{path}", target.endpoint))
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_TYPE, content_type(form))
        .body(body)?;
    // The address is the operator's own word, so it needs no guard.
    let outbound = Outbound::new(AddressPolicy::everything(), target.ca.as_deref())?;
    let answer = outbound.send(request, LIMITS).await?;
    if answer.status() != StatusCode::ACCEPTED {
        bail!("{}", refusal(&answer));
    }
    terminal::complain(&format!("sent to {}\n", description(hub, receiver)));
    Ok(())
}

/// The bytes of a message.
///
/// # Errors
/// When the file or the input cannot be read.
pub fn read(content: &Content) -> anyhow::Result<Bytes> {
    match content {
        Content::Given(text) => Ok(text.clone().into()),
        Content::File(path) if path == Path::new("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read the input")?;
            Ok(bytes.into())
        }
        Content::File(path) => {
            let bytes = std::fs::read(path);
            Ok(bytes.with_context(|| format!("cannot read {}", path.display()))?.into())
        }
    }
}

fn check(body: &[u8], form: Form) -> anyhow::Result<()> {
    match form {
        Form::Binary => Ok(()),
        Form::Text => std::str::from_utf8(body)
            .map(|_| ())
            .context("the message is not UTF-8 text; send it without --text, as bytes"),
        Form::Json => serde_json::from_slice::<IgnoredAny>(body)
            .map(|_| ())
            .context("the message is not JSON; quote it for the shell, or send it without --json"),
    }
}

fn content_type(form: Form) -> &'static str {
    match form {
        Form::Text => "text/plain; charset=utf-8",
        Form::Json => "application/json",
        Form::Binary => "application/octet-stream",
    }
}

fn path(hub: &HubName, receiver: &Receiver) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let below = match receiver {
        Receiver::All => String::new(),
        Receiver::Group(group) => format!("/groups/{}", escaped(group)),
        Receiver::User(user) => format!("/users/{}", escaped(user)),
        Receiver::Connection(id) => format!("/connections/{}", escaped(id)),
    };
    format!("/api/hubs/{}{below}/:send", escaped(hub.as_str()))
}

fn description(hub: &HubName, receiver: &Receiver) -> String {
    let hub = hub.as_str();
    match receiver {
        Receiver::All => format!("every client of the hub {hub}"),
        Receiver::Group(group) => format!("the group {group} of the hub {hub}"),
        Receiver::User(user) => format!("the user {user} of the hub {hub}"),
        Receiver::Connection(id) => format!("the connection {id} of the hub {hub}"),
    }
}

/// What an answer other than "accepted" says.
fn refusal(answer: &Response<Bytes>) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let body = answer.body();
    let said = serde_json::from_slice::<Said>(body).map(|said| said.message);
    let said = said.unwrap_or_else(|_| String::from_utf8_lossy(body).trim().to_owned());
    format!("the server answered {}: {said}", answer.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_receiver_has_its_path() {
        let hub = HubName::parse("a.b").unwrap();
        for (receiver, expected) in [
            (Receiver::All, "/api/hubs/a%2Eb/:send"),
            (Receiver::Group("g/1".to_owned()), "/api/hubs/a%2Eb/groups/g%2F1/:send"),
            (Receiver::User("ü".to_owned()), "/api/hubs/a%2Eb/users/%C3%BC/:send"),
            (Receiver::Connection("c".to_owned()), "/api/hubs/a%2Eb/connections/c/:send"),
        ] {
            assert_eq!(path(&hub, &receiver), expected);
        }
    }

    #[test]
    fn a_message_must_be_of_its_form() {
        assert!(check(b"\xff", Form::Binary).is_ok());
        assert!(check(b"\xff", Form::Text).is_err() && check("ü".as_bytes(), Form::Text).is_ok());
        assert!(check(b"{a}", Form::Json).is_err() && check(b"[1]", Form::Json).is_ok());
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let answer = |body: &'static str| {
            Response::builder().status(401).body(Bytes::from_static(body.as_bytes())).unwrap()
        };
        let said = refusal(&answer(r#"{"code":"x","message":"The key is wrong."}"#));
        assert_eq!(said, "the server answered 401 Unauthorized: The key is wrong.");
        assert!(refusal(&answer("plain\n")).ends_with(": plain"));
    }
}
