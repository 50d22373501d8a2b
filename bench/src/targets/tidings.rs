//! The server of this repository, as `tidings dev` starts it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use auth::{ClientGrant, mint_client_token, mint_rest_token};
use kernel::{Clock as _, Secret, SystemClock};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use wire::{ConnectionString, Endpoint};

use super::{Server, group_name, text};
use crate::link::Route;
use crate::process::{Lab, Process};
use crate::swarm::Step;
use crate::websocket::{self, TEXT};

/// Below the folder of all servers.
const FOLDER: &str = "tidings";
const HUB: &str = "bench";
const SUBPROTOCOL: &str = "json.webpubsub.azure.v1";
const PUBLISHER: &str = "publisher";
/// Longer than any measurement: a ping is no message, and would be counted as a part of one.
const KEEP_ALIVE_SECONDS: &str = "3600";

const SLOW_CLOSES: &str = "tidings_gateway_slow_closes_total";

/// A running server.
pub struct Tidings {
    process: Process,
    http: Endpoint,
    address: SocketAddr,
    secure_address: SocketAddr,
    admin: SocketAddr,
    key: Secret,
    communication: String,
    subprotocol: Option<&'static str>,
    tls: bool,
}

pub(super) fn json(lab: &Lab) -> Result<Box<dyn Server>> {
    Ok(Box::new(Tidings::start(lab)?))
}

pub(super) fn simple(lab: &Lab) -> Result<Box<dyn Server>> {
    Ok(Box::new(Tidings::start(lab)?.for_simple_clients()))
}

impl Tidings {
    /// Starts one with an empty data folder.
    pub fn start(lab: &Lab) -> Result<Self> {
        Self::start_with(lab, &[])
    }

    /// Starts one with an empty data folder and these settings, as environment variables.
    pub fn start_with(lab: &Lab, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_in(lab, &lab.folder(FOLDER)?, settings)
    }

    /// Starts one with the data folder of the last one, which has stopped.
    pub fn start_again(lab: &Lab) -> Result<Self> {
        Self::start_in(lab, &lab.work.join(FOLDER), &[])
    }

    fn start_in(lab: &Lab, folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let ready = folder.join("ready.json");
        fs::remove_file(&ready).ok();
        let mut line = lab.under.iter().cloned().chain([lab.tidings.clone().into()]);
        let mut command = Command::new(line.next().context("a program is named")?);
        command.args(line);
        command.args(["dev", "--http-port", "0", "--https-port", "0", "--admin-port", "0"]);
        command.arg("--data").arg(data(lab)).arg("--ready-file").arg(&ready);
        command.env("TIDINGS_GATEWAY_KEEP_ALIVE_SECONDS", KEEP_ALIVE_SECONDS);
        command.envs(settings.iter().copied());
        let mut process = lab.start("tidings", &mut command)?;
        process.await_file(&ready)?;
        let ready: Value = serde_json::from_str(&fs::read_to_string(ready)?)?;
        let field = |name: &str| {
            ready[name].as_str().with_context(|| format!("the ready file has no {name}"))
        };
        let address = |name: &str| -> Result<SocketAddr> {
            let port = field(name)?.trim_end_matches('/').rsplit(':').next();
            let port = port.and_then(|port| port.parse::<u16>().ok()).context("no port")?;
            Ok(SocketAddr::from(([127, 0, 0, 1], port)))
        };
        let access = ready["webpubsub"]["connectionString"].as_str().context("no access")?;
        let communication = ready["communication"]["connectionString"].as_str();
        let http = address("http")?;
        Ok(Self {
            process,
            http: Endpoint::parse(&format!("http://{http}"))?,
            address: http,
            secure_address: address("https")?,
            admin: address("admin")?,
            key: ConnectionString::parse(access)?.access_key,
            communication: communication.context("no access to chat")?.to_owned(),
            subprotocol: Some(SUBPROTOCOL),
            tls: false,
        })
    }

    /// The same server, reached over TLS.
    #[must_use]
    pub fn over_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The same server, asked for by clients without a subprotocol.
    #[must_use]
    pub fn for_simple_clients(self) -> Self {
        Self { subprotocol: None, ..self }
    }

    /// Ends it in good order.
    pub fn stop(self) -> Result<()> {
        self.process.stop()
    }

    /// How many slow receivers it has closed so far.
    pub fn slow_closes(&self) -> Result<u64> {
        let text = self.ask_admin("GET", "/metrics", "")?;
        let line = text.lines().find(|line| line.starts_with(SLOW_CLOSES));
        let value = line.and_then(|line| line.rsplit(' ').next()).context("no such metric")?;
        Ok(value.trim().parse()?)
    }

    /// The answer of the admin listener.
    pub fn ask_admin(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.admin,
            body.len(),
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 2"), "{text}");
        Ok(body.to_owned())
    }

    /// A live trace of a user's connections, as it goes on.
    pub fn watch_user(&self, user: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.admin)?;
        let path = format!("/webpubsub/live-trace?hub={HUB}&user={user}");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin)?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        anyhow::ensure!(head == *b"HTTP/1.1 200", "no live trace: {}", head.escape_ascii());
        Ok(stream)
    }

    /// The connection string of the Communication Services.
    pub fn communication(&self) -> &str {
        &self.communication
    }

    /// The request that opens a connection of `user`.
    pub fn handshake(&self, user: &str, groups: &[String], subprotocol: Option<&str>) -> Vec<u8> {
        let grant = ClientGrant {
            hub: HUB,
            user_id: Some(user),
            roles: &["webpubsub.sendToGroup".to_owned()],
            groups,
            lifetime: Duration::from_secs(3600),
        };
        let token = mint_client_token(&self.key, &self.http, &grant, SystemClock.now());
        let path = format!("/client/hubs/{HUB}?access_token={}", token.expose());
        websocket::handshake(&self.address.to_string(), &path, subprotocol)
    }

    /// A REST call that sends text to a group.
    pub fn rest_send(&self, group: usize, payload: usize) -> Vec<u8> {
        let path = format!("/api/hubs/{HUB}/groups/{}/:send", group_name(group));
        let lifetime = Duration::from_secs(3600);
        let token = mint_rest_token(&self.key, &self.http, &path, lifetime, SystemClock.now());
        format!(
            "POST {path}?api-version=2024-12-01 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: text/plain\r\nContent-Length: {payload}\r\n\r\n{}",
            self.address,
            token.expose(),
            text(payload),
        )
        .into_bytes()
    }
}

/// Where the server keeps its data.
pub fn data(lab: &Lab) -> PathBuf {
    lab.work.join(FOLDER).join("data")
}

/// The frame of a message as a client of the JSON subprotocol receives it.
pub fn message_bytes(group: usize, payload: usize) -> u64 {
    let (group, data) = (group_name(group), text(payload));
    let message = format!(
        r#"{{"type":"message","from":"group","fromUserId":"{PUBLISHER}","group":"{group}","dataType":"text","data":"{data}"}}"#
    );
    websocket::frame_bytes(message.len())
}

/// The frame by which a client publishes.
pub fn publish_frame(group: usize, payload: usize) -> Vec<u8> {
    acknowledged_publish(group, payload, None)
}

/// The same, with an id to be acknowledged.
pub fn acknowledged_publish(group: usize, payload: usize, ack_id: Option<u64>) -> Vec<u8> {
    let (group, data) = (group_name(group), text(payload));
    let ack = ack_id.map_or(String::new(), |id| format!(r#""ackId":{id},"#));
    let message = format!(
        r#"{{"type":"sendToGroup","group":"{group}",{ack}"noEcho":true,"dataType":"text","data":"{data}"}}"#
    );
    websocket::client_frame(TEXT, message.as_bytes())
}

impl Server for Tidings {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        match self.tls {
            false => Route::plain(self.address),
            true => Route { tls: Some(Arc::new(trusting())), ..Route::plain(self.secure_address) },
        }
    }

    fn subscriber(&self, index: usize, group: usize) -> Vec<Step> {
        let user = format!("user{index:05}");
        let request = self.handshake(&user, &[group_name(group)], self.subprotocol);
        let mut steps = vec![Step::Send(request), Step::Await(websocket::answered)];
        if self.subprotocol.is_some() {
            steps.push(Step::Await(|input| Ok(websocket::frame(input)))); // "connected"
        }
        steps
    }

    fn publisher(&self) -> Vec<Step> {
        vec![
            Step::Send(self.handshake(PUBLISHER, &[], Some(SUBPROTOCOL))),
            Step::Await(websocket::answered),
            Step::Await(|input| Ok(websocket::frame(input))),
        ]
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        publish_frame(group, payload)
    }

    fn unit(&self, payload: usize) -> u64 {
        match self.subprotocol {
            Some(_) => message_bytes(0, payload),
            None => websocket::frame_bytes(payload),
        }
    }
}

/// TLS that trusts any certificate: what is measured is its cost.
fn trusting() -> ClientConfig {
    let mut config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
