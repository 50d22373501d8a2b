//! (m) Chat messages over REST, each on disk when it is answered. Nobody is connected: see (n).

use anyhow::Result;

use super::office::Office;
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
                .map(|(user, thread)| office.message(user, thread, CONTENT))
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
