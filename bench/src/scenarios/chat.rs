//! (m) Chat messages over REST, each on disk when it is answered. How soon they are on the others'
//! screens is not measured.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::requests::{Measured, answer_bytes, converse};
use crate::options::Options;
use crate::report::{Report, Table};
use crate::swarm::{Framing, Swarm};
use crate::targets::Server as _;
use crate::targets::tidings::Tidings;

const SENDERS: usize = 64;
/// As many as a thread may have.
const CROWD: usize = 250;
const CONTENT: &str = "a message of the usual length, as people write them";

const IDENTITY_VERSION: &str = "2023-10-01";
const CHAT_VERSION: &str = "2025-03-15";
/// Participants that one request may name.
const AT_ONCE: usize = 199;
/// Threads that are made for one with an id of the right length.
const ATTEMPTS: usize = 1_000;

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let crowd = if options.quick { CROWD / 10 } else { CROWD };
    let senders = if options.quick { SENDERS / 8 } else { SENDERS };
    let (mut apart, mut together) = (Measured::default(), Measured::default());
    for round in 1..=options.rounds {
        eprintln!("chat, round {round}");
        let server = Tidings::start(&options.lab)?;
        let mut office = Office::of(&server)?;
        let users = (0..crowd).map(|_| office.user()).collect::<Result<Vec<_>>>()?;
        let one = office.thread(&users)?;
        let mut pairs = Vec::new();
        for maker in 0..senders {
            pairs
                .push(office.thread_like(&one, &[users[maker].clone(), users[crowd - 1].clone()])?);
        }
        let threads = [(&mut apart, pairs), (&mut together, vec![one; senders])];
        for (measured, threads) in threads {
            let messages: Vec<_> = users
                .iter()
                .zip(&threads)
                .map(|(user, thread)| office.message(user, thread))
                .collect();
            let mut callers = Swarm::new()?;
            callers.open(senders, &server.route(), Framing::Bytes, &|_| Vec::new())?;
            let unit = answer_bytes(&server.route(), &messages[0])?;
            let message = |caller: usize, _| messages[caller].clone();
            measured.add(converse(options, &server, &mut callers, unit, message)?, 1);
        }
        server.stop()?;
    }
    let mut table = Table::new(
        'm',
        "Chat messages",
        &["", "messages/s", "messages for a CPU second", "server CPU µs each"],
    );
    table.note(&format!(
        "{senders} senders over REST, one message of {} B at a time each, answered when SQLite has it \
         on disk. Two in each thread, or all in one thread of {crowd}.",
        CONTENT.len()
    ));
    for (what, measured) in [("a thread for each sender", apart), ("one thread", together)] {
        table.row([
            what.to_owned(),
            format!("{:.0}", measured.rate.median()),
            format!("{:.0}", 1e6 / measured.micros.median()),
            Table::spread(&measured.micros),
        ]);
    }
    report.table(table)
}

/// A user of the chat.
#[derive(Clone)]
struct User {
    id: String,
    token: String,
}

/// Sets things up: one request after the other.
struct Office {
    address: SocketAddr,
    stream: TcpStream,
    key: hmac::Key,
}

impl Office {
    fn of(server: &Tidings) -> Result<Self> {
        let address = server.route().address;
        let access = server.communication();
        let (_, key) = access.rsplit_once("accesskey=").context("no access key")?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key.trim())?);
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, key })
    }

    /// A new user with a token.
    fn user(&mut self) -> Result<User> {
        let target = format!("/identities?api-version={IDENTITY_VERSION}");
        let body = json!({ "createTokenWithScopes": ["chat"] }).to_string();
        let head = self.signed(&target, &body);
        let answer = self.ask(&self.request(&target, &head, &body))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no identity");
        Ok(User {
            id: text(&answer["identity"]["id"])?,
            token: text(&answer["accessToken"]["token"])?,
        })
    }

    /// A new thread of these users, made by the first.
    fn thread(&mut self, users: &[User]) -> Result<String> {
        let (maker, others) = users.split_first().context("a thread has users")?;
        let mut others = others.chunks(AT_ONCE);
        let first = others.next().unwrap_or_default();
        let body = json!({ "topic": "bench", "participants": participants(first) }).to_string();
        let target = format!("/chat/threads?api-version={CHAT_VERSION}");
        let answer = self.ask(&self.request(&target, &bearer(maker), &body))?;
        let id = answer["chatThread"]["id"].as_str().context("no thread")?.to_owned();
        let path = path(&id);
        for others in others {
            let target = format!("{path}/participants/:add?api-version={CHAT_VERSION}");
            let body = json!({ "participants": participants(others) }).to_string();
            self.ask(&self.request(&target, &bearer(maker), &body))?;
        }
        Ok(id)
    }

    /// A new thread whose id is as long in a URL as another's: answers are counted by their size.
    fn thread_like(&mut self, other: &str, users: &[User]) -> Result<String> {
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
    fn message(&self, user: &User, thread: &str) -> Vec<u8> {
        let target = format!("{}/messages?api-version={CHAT_VERSION}", path(thread));
        self.request(&target, &bearer(user), &json!({ "content": CONTENT }).to_string())
    }

    fn request(&self, target: &str, head: &str, body: &str) -> Vec<u8> {
        let (address, length) = (self.address, body.len());
        format!(
            "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
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

    /// Sends a request and reads its answer.
    fn ask(&self, request: &[u8]) -> Result<Value> {
        let mut stream = &self.stream;
        stream.write_all(request)?;
        let mut input = Vec::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            let count = stream.read(&mut buffer)?;
            ensure!(count > 0, "the server hung up");
            input.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&input);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() < length.context("an answer without length")?.trim().parse()? {
                continue;
            }
            ensure!(head.starts_with("http/1.1 2"), "{text}");
            return Ok(serde_json::from_str(body)?);
        }
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
