//! Users, threads and requests of the chat, for those who measure it. Sets things up one request after
//! the other.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::targets::Server as _;
use crate::targets::tidings::Tidings;

const IDENTITY_VERSION: &str = "2023-10-01";
const CHAT_VERSION: &str = "2025-03-15";
const SIGNALING_VERSION: &str = "2024-09-01";
/// Participants that one request may name.
const AT_ONCE: usize = 199;
/// Threads that are made for one with an id of the right length.
const ATTEMPTS: usize = 1_000;

/// A user of the chat.
#[derive(Clone)]
pub(super) struct User {
    id: String,
    token: String,
}

/// A chat client that is about to open its WebSocket.
pub(super) struct Session {
    /// Its path, which is all that lets it in.
    pub(super) path: String,
    device: Uuid,
    address: String,
}

/// Asks the server, as an application's backend and its users do.
pub(super) struct Office {
    address: SocketAddr,
    stream: TcpStream,
    key: hmac::Key,
}

impl Office {
    /// A connection to a server.
    pub(super) fn of(server: &Tidings) -> Result<Self> {
        let address = server.route().address;
        let access = server.communication();
        let (_, key) = access.rsplit_once("accesskey=").context("no access key")?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key.trim())?);
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, key })
    }

    /// A new user with a token.
    pub(super) fn user(&mut self) -> Result<User> {
        let target = format!("/identities?api-version={IDENTITY_VERSION}");
        let body = json!({ "createTokenWithScopes": ["chat"] }).to_string();
        let head = self.signed(&target, &body);
        let answer = self.ask(&self.post(&target, &head, &body))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no identity");
        Ok(User {
            id: text(&answer["identity"]["id"])?,
            token: text(&answer["accessToken"]["token"])?,
        })
    }

    /// A new thread of these users, made by the first.
    pub(super) fn thread(&mut self, users: &[User]) -> Result<String> {
        let (maker, others) = users.split_first().context("a thread has users")?;
        let mut others = others.chunks(AT_ONCE);
        let first = others.next().unwrap_or_default();
        let body = json!({ "topic": "bench", "participants": participants(first) }).to_string();
        let target = format!("/chat/threads?api-version={CHAT_VERSION}");
        let answer = self.ask(&self.post(&target, &bearer(maker), &body))?;
        let id = answer["chatThread"]["id"].as_str().context("no thread")?.to_owned();
        let path = path(&id);
        for others in others {
            let target = format!("{path}/participants/:add?api-version={CHAT_VERSION}");
            let body = json!({ "participants": participants(others) }).to_string();
            self.ask(&self.post(&target, &bearer(maker), &body))?;
        }
        Ok(id)
    }

    /// A new thread whose id is as long in a URL as another's: answers are counted by their size.
    pub(super) fn thread_like(&mut self, other: &str, users: &[User]) -> Result<String> {
        let length = |id: &str| -> usize {
            id.bytes().map(|it| if it.is_ascii_alphanumeric() { 1 } else { 3 }).sum()
        };
        for _ in 0..ATTEMPTS {
            let id = self.thread(users)?;
            if length(&id) == length(other) {
                return Ok(id);
            }
        }
        bail!("no thread of {ATTEMPTS} has an id as long as {other}")
    }

    /// The request by which a user sends a message.
    pub(super) fn message(&self, user: &User, thread: &str, content: &str) -> Vec<u8> {
        let target = format!("{}/messages?api-version={CHAT_VERSION}", path(thread));
        self.post(&target, &bearer(user), &json!({ "content": content }).to_string())
    }

    /// Takes the steps by which a browser comes to its notifications, up to the WebSocket.
    pub(super) fn session(&mut self, user: &User) -> Result<Session> {
        let target = format!("/chat/config/realTimeNotifications?api-version={SIGNALING_VERSION}");
        let services = self.ask(&self.request("GET", &target, &bearer(user), ""))?;
        ensure!(services["trouterServiceUrl"].is_string(), "no address of notifications");
        let head = format!("X-Skypetoken: {}\r\n", user.token);
        let device = Uuid::new_v4();
        let about = format!("cor_id={}&con_num=1767366245120_1&epid={device}", Uuid::new_v4());
        let allocation = self.ask(&self.post(&format!("/v4/a?{about}"), &head, ""))?;
        let given = allocation["connectparams"].as_object().context("no connection parameters")?;
        let given = given.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        let mut query: String = given.map(|(name, value)| format!("{name}={value}&")).collect();
        query.push_str(&format!("v=v4&timeout=40&auth=true&{about}"));
        let target = format!("/socket.io/1/?{query}&t=1767366245120");
        let answer = self.ask_text(&self.request("GET", &target, &head, ""))?;
        let (sid, _) = answer.split_once(':').context("no session")?;
        let path = format!("/socket.io/1/websocket/{sid}?{query}");
        let address = allocation["surl"].as_str().context("no address to push to")?.to_owned();
        Ok(Session { path, device, address })
    }

    /// Registers a client whose WebSocket is open, as it does itself then.
    pub(super) fn register(&mut self, user: &User, session: &Session) -> Result<()> {
        let body = json!({
            "clientDescription": {
                "appId": "AcsWeb", "aesKey": "", "languageId": "en-US", "platform": "SPOOL",
                "templateKey": "AcsWeb_Chat_2.1", "platformUIVersion": "0.0.0",
            },
            "registrationId": session.device.to_string(),
            "nodeId": "",
            "transports": { "TROUTER": [{ "context": "", "path": session.address, "ttl": 7200 }] },
        });
        let head = format!("X-Skypetoken: {}\r\n", user.token);
        let request = self.post("/registrar/prod/v3/registrations", &head, &body.to_string());
        self.ask_text(&request).map(drop)
    }

    fn post(&self, target: &str, head: &str, body: &str) -> Vec<u8> {
        self.request("POST", target, head, body)
    }

    fn request(&self, method: &str, target: &str, head: &str, body: &str) -> Vec<u8> {
        let (address, length) = (self.address, body.len());
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{head}\r\n{body}"
        )
        .into_bytes()
    }

    /// The headers that sign a request with the access key.
    fn signed(&self, target: &str, body: &str) -> String {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, body.as_bytes()));
        let text = format!("POST\n{target}\n{date};{};{hash}", self.address);
        let signature = STANDARD.encode(hmac::sign(&self.key, text.as_bytes()));
        format!(
            "x-ms-date: {date}\r\nx-ms-content-sha256: {hash}\r\nAuthorization: HMAC-SHA256 \
             SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}\r\n"
        )
    }

    /// Sends a request and reads the JSON of its answer.
    fn ask(&self, request: &[u8]) -> Result<Value> {
        Ok(serde_json::from_str(&self.ask_text(request)?)?)
    }

    fn ask_text(&self, request: &[u8]) -> Result<String> {
        let mut stream = &self.stream;
        stream.write_all(request)?;
        let mut input = Vec::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            let count = stream.read(&mut buffer)?;
            ensure!(count > 0, "the server hung up");
            input.extend_from_slice(&buffer[..count]);
            let Some(answer) = Answer::read(&input)? else { continue };
            ensure!(answer.is_success, "{}", String::from_utf8_lossy(&input));
            return Ok(String::from_utf8(answer.body.to_vec())?);
        }
    }
}

/// An answer over HTTP/1.1 with a length.
pub(super) struct Answer<'a> {
    /// Whether it says that all went well.
    pub(super) is_success: bool,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The answer, once it is there as a whole.
    pub(super) fn read(input: &'a [u8]) -> Result<Option<Self>> {
        let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let (head, body) = (str::from_utf8(&input[..end])?, &input[end + 4..]);
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(name, value)| name.eq_ignore_ascii_case("content-length").then_some(value));
        let length: usize = length.context("an answer without length")?.trim().parse()?;
        let is_success = head.starts_with("HTTP/1.1 2");
        Ok((body.len() >= length).then_some(Self { is_success, body }))
    }
}

fn bearer(user: &User) -> String {
    format!("Authorization: Bearer {}\r\n", user.token)
}

fn path(thread: &str) -> String {
    format!("/chat/threads/{}", thread.replace(':', "%3A").replace('@', "%40"))
}

fn participants(users: &[User]) -> Vec<Value> {
    let participant = |user: &User| {
        json!({ "communicationIdentifier": {
            "rawId": user.id, "communicationUser": { "id": user.id },
        } })
    };
    users.iter().map(participant).collect()
}
