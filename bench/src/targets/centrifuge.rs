//! Centrifuge, the library that Centrifugo is made of, by the program in `peers/centrifuge/`.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;

use super::{Server, group_name, text};
use crate::link::Route;
use crate::process::{Lab, Process, free_address};
use crate::swarm::{Framing, Step};
use crate::websocket::{self, TEXT};

struct Centrifuge {
    process: Process,
    address: SocketAddr,
}

pub(super) fn start(lab: &Lab) -> Result<Box<dyn Server>> {
    let address = free_address()?;
    let mut command = Command::new(lab.peer("centrifuge-server")?);
    command.arg(address.to_string());
    let mut process = lab.start("centrifuge", &mut command)?;
    process.await_port(address)?;
    Ok(Box::new(Centrifuge { process, address }))
}

impl Centrifuge {
    fn call(command: &str) -> Vec<u8> {
        websocket::client_frame(TEXT, command.as_bytes())
    }
}

impl Server for Centrifuge {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        let channel = group_name(group);
        let mut steps = self.publisher();
        let subscribe = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
        steps.push(Step::Send(Self::call(&subscribe)));
        steps.push(Step::Await(|input| Ok(websocket::frame(input))));
        steps
    }

    fn publisher(&self) -> Vec<Step> {
        let path = "/connection/websocket";
        vec![
            Step::Send(websocket::handshake(&self.address.to_string(), path, None)),
            Step::Await(websocket::answered),
            Step::Send(Self::call(r#"{"id":1,"connect":{}}"#)),
            Step::Await(|input| Ok(websocket::frame(input))),
        ]
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        let (channel, data) = (group_name(group), text(payload));
        let publish = format!(r#"{{"id":3,"publish":{{"channel":"{channel}","data":"{data}"}}}}"#);
        Self::call(&publish)
    }

    fn unit(&self, payload: usize) -> u64 {
        let (channel, data) = (group_name(0), text(payload));
        let line = format!(r#"{{"push":{{"channel":"{channel}","pub":{{"data":"{data}"}}}}}}"#);
        line.len() as u64 + 1
    }
}
