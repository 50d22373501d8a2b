//! `tidings connect`: the terminal client. Waits for the server, the person, the clock and signals,
//! and does what the [`Session`] decides.

use std::future::pending;
use std::io::{BufRead as _, IsTerminal as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use gateway::frame::OpCode;
use kernel::{Clock, SystemClock, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_rustls::TlsConnector;
use webpubsub::name::HubName;

use super::codec::Protocol;
use super::frames::Incoming;
use super::handshake::Handshake;
use super::lines;
use super::print::Printer;
use super::session::{Dial, Effect, Input, Session, Settings};
use super::socket::{self, Socket};
use super::target::Target;
use crate::signals::Signals;
use crate::terminal::{self, Style};

/// Lines that are read ahead of the connection.
const LINES_AHEAD: usize = 64;

/// What a person wants to connect as.
#[derive(Debug)]
pub struct Wanted {
    /// The hub.
    pub hub: HubName,
    /// The user; none connects anonymously.
    pub user: Option<String>,
    /// Groups to be in from the start; the first is where lines go.
    pub groups: Vec<String>,
    /// What the client may do.
    pub roles: Vec<String>,
    /// The subprotocol.
    pub protocol: Protocol,
    /// Whether input is left alone.
    pub listen: bool,
}

/// Runs the client until the person, the input or the server ends it.
///
/// # Errors
/// When the server cannot be reached or refuses, the connection is lost for good, or a line of input
/// that nobody typed was not accepted.
pub async fn run(target: Target, wanted: Wanted) -> anyhow::Result<()> {
    let interactive = !wanted.listen && std::io::stdin().is_terminal();
    let lines = if wanted.listen { None } else { Some(read_lines()) };
    let tls = socket::tls(target.ca.as_deref())?;
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let with_source = wanted.protocol.has_envelope();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut driver = Driver {
        out: Printer { style: Style::of_stdout(&variables), with_source },
        err: Printer { style: Style::of_stderr(&variables), with_source },
        clock: SystemClock,
        connector: Arc::new(Connector { target, tls, wanted }),
        dialing: None,
        socket: None,
        lines,
        seconds,
        signals: Some(Signals::listen()?),
    };
    let wanted = &driver.connector.wanted;
    let settings = Settings {
        reliable: wanted.protocol.is_reliable(),
        envelope: wanted.protocol.has_envelope(),
        groups: wanted.groups.clone(),
        interactive,
    };
    let mut effects = Vec::new();
    let mut session = Session::new(settings, driver.clock.now(), &mut effects);
    loop {
        for effect in effects.drain(..) {
            if let Some(outcome) = driver.apply(effect).await? {
                return outcome.map_err(|reason| anyhow!(reason));
            }
        }
        for input in driver.wait(session.wants_input()).await {
            session.step(driver.clock.now(), input, &mut effects);
        }
    }
}

type Dialing = Pin<Box<dyn Future<Output = anyhow::Result<Socket>> + Send>>;

struct Driver {
    out: Printer,
    err: Printer,
    clock: SystemClock,
    connector: Arc<Connector>,
    dialing: Option<Dialing>,
    socket: Option<Socket>,
    /// `None` when there is no input, or no more of it.
    lines: Option<mpsc::Receiver<String>>,
    seconds: Interval,
    /// `None` after the first: the next one ends the process.
    signals: Option<Signals>,
}

impl Driver {
    /// Does one thing; the outcome when it was the last.
    async fn apply(&mut self, effect: Effect) -> anyhow::Result<Option<Result<(), String>>> {
        match effect {
            Effect::Dial(dial) => {
                self.socket = None;
                self.dialing =
                    Some(Box::pin(Arc::clone(&self.connector).dial(dial, self.clock.now())));
            }
            Effect::Send(message) => {
                let encoded = self.connector.wanted.protocol.encode(&message);
                if let (Some(socket), Some((opcode, bytes))) = (&mut self.socket, encoded) {
                    socket.send(opcode, &bytes).await;
                }
            }
            Effect::Ping => {
                if let Some(socket) = &mut self.socket {
                    socket.send(OpCode::Ping, &[]).await;
                }
            }
            Effect::Close => {
                if let Some(socket) = &mut self.socket {
                    socket.close(1000).await;
                }
            }
            Effect::Hang => self.socket = None,
            Effect::Deliver(message) => {
                terminal::say(&self.out.message(self.clock.now(), &message))?;
            }
            Effect::Tell(note) => terminal::complain(&self.err.note(&note)),
            Effect::Finish(outcome) => return Ok(Some(outcome)),
        }
        Ok(None)
    }

    /// What happens next.
    async fn wait(&mut self, wants_input: bool) -> Vec<Input> {
        tokio::select! {
            dialed = dialed(&mut self.dialing) => {
                self.dialing = None;
                match dialed {
                    Ok(socket) => {
                        self.socket = Some(socket);
                        vec![Input::Opened]
                    }
                    Err(error) => vec![Input::NotOpened(format!("{error:#}"))],
                }
            }
            heard = hear(&mut self.socket) => self.heard(heard).await,
            line = next_line(&mut self.lines), if wants_input => match line {
                Some(line) => vec![Input::Line(lines::parse(&line))],
                None => {
                    self.lines = None;
                    vec![Input::InputEnded]
                }
            },
            () = interrupted(&mut self.signals) => {
                if let Some(signals) = self.signals.take() {
                    tokio::spawn(signals.second());
                }
                vec![Input::Interrupted]
            }
            _ = self.seconds.tick() => vec![Input::Tick],
        }
    }

    async fn heard(&mut self, heard: Option<Incoming>) -> Vec<Input> {
        match heard {
            None => {
                self.socket = None;
                vec![Input::Ended(None)]
            }
            Some(Incoming::Close(close)) => {
                // RFC 6455 section 7.1.5: without a code it counts as 1005.
                let close = close.unwrap_or((1005, String::new()));
                if let Some(mut socket) = self.socket.take() {
                    socket.close(if close.0 == 1005 { 1000 } else { close.0 }).await;
                }
                vec![Input::Ended(Some(close))]
            }
            Some(Incoming::Ping(payload)) => {
                if let Some(socket) = &mut self.socket {
                    socket.send(OpCode::Pong, &payload).await;
                }
                vec![Input::Heard]
            }
            Some(Incoming::Pong) => vec![Input::Heard],
            Some(Incoming::Message(message)) => {
                match self.connector.wanted.protocol.decode(message) {
                    Ok(message) => vec![Input::Heard, Input::Received(message)],
                    Err(problem) => vec![Input::Heard, Input::Unreadable(problem)],
                }
            }
        }
    }
}

async fn dialed(dialing: &mut Option<Dialing>) -> anyhow::Result<Socket> {
    match dialing {
        Some(dialing) => dialing.await,
        None => pending().await,
    }
}

async fn hear(socket: &mut Option<Socket>) -> Option<Incoming> {
    match socket {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => pending().await,
    }
}

async fn interrupted(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.first().await,
        None => pending().await,
    }
}

/// Standard input, line by line. Reading blocks, so it has a thread, which ends with the input or
/// with the process.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        while matches!(input.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            if sender.blocking_send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

/// Makes connections.
struct Connector {
    target: Target,
    tls: TlsConnector,
    wanted: Wanted,
}

impl Connector {
    async fn dial(self: Arc<Self>, dial: Dial, now: Timestamp) -> anyhow::Result<Socket> {
        let Wanted { hub, user, roles, protocol, .. } = &self.wanted;
        let path = format!("/client/hubs/{}", escaped(hub.as_str()));
        let (path, token) = match dial {
            Dial::Anew(groups) => {
                let target = &self.target;
                let token = target.client_token(hub.as_str(), user.as_deref(), roles, &groups, now);
                (format!("{path}{}", simple_mode(*protocol, &self.wanted.groups)), Some(token))
            }
            Dial::Recover { connection_id, token } => {
                let (id, token) = (escaped(&connection_id), escaped(&token));
                let query = format!("awps_connection_id={id}&awps_reconnection_token={token}");
                (format!("{path}?{query}"), None)
            }
        };
        let subprotocol = protocol.subprotocol().name();
        let handshake = Handshake { path, token, subprotocol, nonce: socket::random() };
        Socket::dial(&self.target.endpoint, &self.tls, &handshake).await
    }
}

/// The query that lets the frames of a simple client go to a group instead of an event handler.
fn simple_mode(protocol: Protocol, groups: &[String]) -> String {
    match groups.first() {
        Some(group) if !protocol.has_envelope() => {
            format!("?webpubsub_mode=sendToGroup&group={}&noEcho=true", escaped(group))
        }
        _ => String::new(),
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_simple_clients_name_their_group_in_the_url() {
        let groups = ["a&b".to_owned(), "c".to_owned()];
        assert_eq!(
            simple_mode(Protocol::Simple, &groups),
            "?webpubsub_mode=sendToGroup&group=a%26b&noEcho=true"
        );
        assert_eq!(simple_mode(Protocol::Simple, &[]), "");
        assert_eq!(simple_mode(Protocol::Json, &groups), "");
    }
}
