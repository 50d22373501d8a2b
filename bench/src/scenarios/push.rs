//! (k) Sends to Apple: how many a core of the sender does. The fake of the service runs on the other
//! core.

use std::env;
use std::process::Command;

use anyhow::Result;

use super::campaign;
use crate::apns::{self, AT_ONCE};
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::system;

/// Devices of a round.
const DEVICES: u64 = 250_000;

#[derive(Default)]
struct Measured {
    each_second: Samples,
    each_cpu_second: Samples,
    micros: Samples,
    fake_micros: Samples,
    growth: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let devices = if options.quick { DEVICES / 100 } else { DEVICES };
    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        eprintln!("push, round {round}");
        measured.add(options, devices)?;
    }
    let mut table = Table::new(
        'k',
        "Sends to Apple",
        &["sends/s", "sends for a CPU second", "sender CPU µs each", "fake CPU µs each", "memory"],
    );
    table.note(&format!(
        "{devices} devices, {AT_ONCE} at a time, over TLS and HTTP/2 to the fake of Apple's service. \
         The sender has one core, the fake another, which limits the first column. Memory is what the \
         sender grew by."
    ));
    table.row([
        format!("{:.0}", measured.each_second.median()),
        format!("{:.0}", measured.each_cpu_second.median()),
        Table::spread(&measured.micros),
        format!("{:.1}", measured.fake_micros.median()),
        format!("{:.1} MiB", measured.growth.median()),
    ]);
    report.table(table)?;
    campaign::run(options, report)
}

impl Measured {
    /// Adds a round: a service and a sender, both new.
    fn add(&mut self, options: &Options, devices: u64) -> Result<()> {
        let lab = &options.lab;
        let folder = lab.folder("apns")?;
        let mut service = Command::new(env::current_exe()?);
        let mut service = lab.start_beside("apns", service.arg(apns::SERVICE).arg(&folder))?;
        service.await_file(&folder.join(apns::READY))?;
        let cpu = system::cpu_time(service.pid())?;
        let mut sender = Command::new(env::current_exe()?);
        let arguments = [folder.as_os_str(), devices.to_string().as_ref()].map(ToOwned::to_owned);
        lab.start("apns-sender", sender.arg(apns::SENDER).args(arguments))?.finish()?;
        let fake = system::cpu_time(service.pid())? - cpu;
        let sent = apns::sent(&folder)?;
        let devices = devices as f64;
        self.each_second.add(devices / sent.wall.as_secs_f64());
        self.each_cpu_second.add(devices / sent.cpu.as_secs_f64());
        self.micros.add(sent.cpu.as_secs_f64() * 1e6 / devices);
        self.fake_micros.add(fake.as_secs_f64() * 1e6 / devices);
        let [before, after] = sent.resident;
        self.growth.add((after as f64 - before as f64) / f64::from(1 << 20));
        Ok(())
    }
}
