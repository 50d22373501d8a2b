//! nats-server over WebSocket, speaking its text protocol.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;

use super::{Server, group_name, text};
use crate::link::Route;
use crate::process::{Lab, Process, free_address};
use crate::swarm::{Framing, Step};
use crate::websocket::{self, BINARY};

struct Nats {
    process: Process,
    address: SocketAddr,
}

pub(super) fn start(lab: &Lab) -> Result<Box<dyn Server>> {
    let (address, plain) = (free_address()?, free_address()?);
    let config = lab.folder("nats")?.join("nats.conf");
    // Pings are no messages: none but the first, which comes soon after connecting.
    fs::write(
        &config,
        format!(
            "listen: \"{plain}\"\nping_interval: \"1h\"\n\
             websocket {{ listen: \"{address}\", no_tls: true }}\n"
        ),
    )?;
    let mut command = Command::new(lab.peer("nats-server")?);
    command.arg("-c").arg(&config);
    let mut process = lab.start("nats", &mut command)?;
    process.await_port(address)?;
    Ok(Box::new(Nats { process, address }))
}

impl Nats {
    fn connect(&self, then: &str) -> Vec<Step> {
        let hello = r#"CONNECT {"verbose":false,"pedantic":false,"echo":false,"protocol":1}"#;
        let commands = format!("{hello}\r\n{then}PING\r\n");
        vec![
            Step::Send(websocket::handshake(&self.address.to_string(), "/", None)),
            Step::Await(websocket::answered),
            Step::Await(|input| Ok(websocket::frame(input))), // INFO
            Step::Send(websocket::client_frame(BINARY, commands.as_bytes())),
            Step::Await(ready),
        ]
    }
}

/// The answer to the ping, and the information that follows it, in one frame or two.
fn ready(input: &[u8]) -> Result<Option<usize>, String> {
    let mut used = 0;
    while let Some(length) = websocket::frame(&input[used..]) {
        used += length;
    }
    let said = String::from_utf8_lossy(&input[..used]);
    if said.contains("-ERR") {
        return Err(said.into_owned());
    }
    Ok((said.contains("PONG") && said.contains("connect_info")).then_some(used))
}

impl Server for Nats {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn framing(&self) -> Framing {
        Framing::Payload
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        self.connect(&format!("SUB {} 1\r\n", group_name(group)))
    }

    fn publisher(&self) -> Vec<Step> {
        self.connect("")
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        let command = format!("PUB {} {payload}\r\n{}\r\n", group_name(group), text(payload));
        websocket::client_frame(BINARY, command.as_bytes())
    }

    fn unit(&self, payload: usize) -> u64 {
        let line = format!("MSG {} 1 {payload}\r\n\r\n", group_name(0));
        (line.len() + payload) as u64
    }

    fn settles_in_millis(&self) -> u64 {
        3_500
    }
}
