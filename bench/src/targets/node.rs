//! socket.io and ws on Node, by the scripts in `peers/`.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;

use super::{Server, group_name, text};
use crate::link::Route;
use crate::process::{Lab, Process, free_address};
use crate::swarm::Step;
use crate::websocket::{self, TEXT};

fn start(lab: &Lab, script: &str) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    lab.peer("node_modules")?;
    let mut command = Command::new("node");
    command.arg(lab.peer(script)?).arg(address.port().to_string());
    command.env("NODE_ENV", "production");
    let mut process = lab.start(script, &mut command)?;
    process.await_port(address)?;
    Ok((process, address))
}

struct SocketIo {
    process: Process,
    address: SocketAddr,
}

pub(super) fn socket_io(lab: &Lab) -> Result<Box<dyn Server>> {
    let (process, address) = start(lab, "socket-io.mjs")?;
    Ok(Box::new(SocketIo { process, address }))
}

impl SocketIo {
    fn packet(text: &str) -> Vec<u8> {
        websocket::client_frame(TEXT, text.as_bytes())
    }
}

impl Server for SocketIo {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        let mut steps = self.publisher();
        let join = format!(r#"420["join","{}"]"#, group_name(group));
        steps.push(Step::Send(Self::packet(&join)));
        steps.push(Step::Await(|input| Ok(websocket::frame(input)))); // its acknowledgement
        steps
    }

    fn publisher(&self) -> Vec<Step> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        vec![
            Step::Send(websocket::handshake(&self.address.to_string(), path, None)),
            Step::Await(websocket::answered),
            Step::Await(|input| Ok(websocket::frame(input))), // open
            Step::Send(Self::packet("40")),
            Step::Await(|input| Ok(websocket::frame(input))), // connected to the namespace
        ]
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        Self::packet(&format!(r#"42["publish","{}","{}"]"#, group_name(group), text(payload)))
    }

    fn unit(&self, payload: usize) -> u64 {
        websocket::frame_bytes(r#"42["message",""]"#.len() + payload)
    }
}

struct Ws {
    process: Process,
    address: SocketAddr,
}

pub(super) fn ws(lab: &Lab) -> Result<Box<dyn Server>> {
    let (process, address) = start(lab, "ws.mjs")?;
    Ok(Box::new(Ws { process, address }))
}

impl Ws {
    fn connect(&self, path: &str) -> Vec<Step> {
        vec![
            Step::Send(websocket::handshake(&self.address.to_string(), path, None)),
            Step::Await(websocket::answered),
        ]
    }
}

impl Server for Ws {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        self.connect(&format!("/{}", group_name(group)))
    }

    fn publisher(&self) -> Vec<Step> {
        self.connect("/publish")
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        let message = format!("{}{}", group_name(group), text(payload));
        websocket::client_frame(TEXT, message.as_bytes())
    }

    fn unit(&self, payload: usize) -> u64 {
        websocket::frame_bytes(payload)
    }
}
