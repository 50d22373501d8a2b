//! Chat clients as browsers have them: connected for notifications, each of which they answer.
//!
//! What a client says is what the official one says: an answer to each pushed request, and a ping after
//! it unless one is under way. Answers to what arrived together leave together.

use anyhow::{Result, bail, ensure};

use crate::link::Route;
use crate::swarm::{Framing, Step, Swarm};
use crate::websocket::{self, PING, PONG, TEXT};

const ACTIVITY: &str = r#"5:1+::{"name":"user.activity","args":[{"state":"active","cv":"bench"}]}"#;

/// Connected clients.
pub struct Screens {
    swarm: Swarm,
    screens: Vec<Screen>,
}

#[derive(Default)]
struct Screen {
    input: Vec<u8>,
    output: Vec<u8>,
    /// Events that it has sent, which are numbered.
    events: u64,
    is_pinging: bool,
}

impl Screens {
    /// Opens a client for each of these paths of WebSockets.
    pub fn open(route: &Route, paths: &[String]) -> Result<Self> {
        let mut swarm = Swarm::new()?;
        let host = route.address.to_string();
        swarm.open(paths.len(), route, Framing::Bytes, &|index| {
            let frame = || Step::Await(|input| Ok(websocket::frame(input)));
            vec![
                Step::Send(websocket::handshake(&host, &paths[index], None)),
                Step::Await(websocket::answered),
                frame(), // "1::"
                frame(), // "trouter.connected"
                Step::Send(websocket::client_frame(TEXT, ACTIVITY.as_bytes())),
                frame(), // its receipt
            ]
        })?;
        let screen = || Screen { events: 1, ..Screen::default() };
        Ok(Self { swarm, screens: paths.iter().map(|_| screen()).collect() })
    }

    /// Takes what has arrived, answers it, and tells of each pushed request: the client, and the packet.
    /// Returns whether there was anything.
    pub fn poll(&mut self, mut shown: impl FnMut(usize, &str)) -> Result<bool> {
        let Self { swarm, screens } = self;
        let (mut spoken, mut outcome) = (Vec::new(), Ok(()));
        let news = swarm.listen(|client, bytes| {
            let screen = &mut screens[client];
            let heard = screen.hear(bytes, |packet| shown(client, packet));
            if let Err(error) = heard {
                outcome = Err(error.context(format!("client {client}")));
            }
            spoken.push(client);
        })?;
        outcome?;
        for client in spoken {
            let output = std::mem::take(&mut screens[client].output);
            let sent = swarm.send(client, &output)?;
            ensure!(sent == output.len(), "the socket of client {client} is full");
        }
        Ok(news)
    }
}

impl Screen {
    fn hear(&mut self, bytes: &[u8], mut shown: impl FnMut(&str)) -> Result<()> {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some(length) = websocket::frame(rest) {
            let (frame, following) = rest.split_at(length);
            rest = following;
            match websocket::content(frame) {
                Some((TEXT, packet)) => self.take(str::from_utf8(packet)?, &mut shown)?,
                Some((PING, payload)) => {
                    self.output.extend(websocket::client_frame(PONG, payload));
                }
                _ => bail!("an unexpected frame: {frame:?}"),
            }
        }
        self.input.extend_from_slice(rest);
        Ok(())
    }

    fn take(&mut self, packet: &str, shown: &mut impl FnMut(&str)) -> Result<()> {
        if let Some(request) = packet.strip_prefix("3:::{\"id\":") {
            shown(packet);
            let id = request.split(',').next().unwrap_or_default();
            self.say(&format!(
                r#"3:::{{"id":{id},"status":200,"headers":{{"trouter-client":"{{\"cd\":1}}"}},"body":""}}"#
            ));
            if !self.is_pinging {
                self.events += 1;
                self.is_pinging = true;
                self.say(&format!(r#"5:{}+::{{"name":"ping"}}"#, self.events));
            }
        } else if packet.starts_with("6:::") {
            self.is_pinging = false;
        } else if packet.starts_with("2::") {
            self.say("2::");
        } else {
            bail!("an unexpected packet: {packet}");
        }
        Ok(())
    }

    fn say(&mut self, packet: &str) {
        self.output.extend(websocket::client_frame(TEXT, packet.as_bytes()));
    }
}
