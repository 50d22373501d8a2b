//! The yardsticks (see [`crate::limit`]).

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;

use super::{Server, tidings};
use crate::limit::{self, PUBLISHER, WELCOME};
use crate::link::Route;
use crate::process::{Lab, Process, free_address};
use crate::swarm::Step;

struct Limit {
    process: Process,
    address: SocketAddr,
}

pub(super) fn write(lab: &Lab) -> Result<Box<dyn Server>> {
    start(lab, "write")
}

pub(super) fn batch(lab: &Lab) -> Result<Box<dyn Server>> {
    start(lab, "batch")
}

pub(super) fn ring(lab: &Lab) -> Result<Box<dyn Server>> {
    start(lab, "ring")
}

fn start(lab: &Lab, mode: &str) -> Result<Box<dyn Server>> {
    let address = free_address()?;
    let mut command = Command::new(env::current_exe()?);
    command.args(["limit", mode, &address.to_string()]);
    let mut process = lab.start(&format!("limit-{mode}"), &mut command)?;
    process.await_port(address)?;
    Ok(Box::new(Limit { process, address }))
}

impl Limit {
    fn hello(number: u32) -> Vec<Step> {
        let welcomed = |input: &[u8]| match input.first() {
            Some(&WELCOME) => Ok(Some(1)),
            Some(other) => Err(format!("byte {other} instead of a welcome")),
            None => Ok(None),
        };
        vec![Step::Send(number.to_be_bytes().to_vec()), Step::Await(welcomed)]
    }
}

impl Server for Limit {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn route(&self) -> Route {
        Route::plain(self.address)
    }

    fn subscriber(&self, _: usize, group: usize) -> Vec<Step> {
        Self::hello(group as u32)
    }

    fn publisher(&self) -> Vec<Step> {
        Self::hello(PUBLISHER)
    }

    fn publish(&self, group: usize, payload: usize) -> Vec<u8> {
        let length = tidings::publish_frame(group, payload).len();
        limit::publish(length, group, tidings::message_bytes(group, payload) as usize)
    }

    fn unit(&self, payload: usize) -> u64 {
        tidings::message_bytes(0, payload)
    }
}
