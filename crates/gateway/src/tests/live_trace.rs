//! Who watches sees all of what happens to whom they watch, and nothing else.

use super::clients::{Client, Host};
use super::words;
use crate::live_trace::MAX_LIVE_TRACES;
use crate::{Audience, Close, GroupChange, LiveTrace, Target, Watched};

/// The next observations, all of one connection.
fn told(host: &Host, trace: &mut LiveTrace, of: &Client, count: usize) -> Vec<String> {
    let next = |_| {
        let (id, text) = host.observe(trace);
        assert_eq!(id, of.id, "{text}");
        text
    };
    (0..count).map(next).collect()
}

#[test]
fn the_whole_life_of_a_users_connections_is_told() {
    let host = Host::start(2);
    let mut trace = host.live_trace(Watched::User("ann".into())).unwrap();
    let mut bob = host.connect(Some("bob"), &["g"]);
    let mut ann = host.connect(Some("ann"), &[]);
    assert_eq!(
        told(&host, &mut trace, &ann, 2),
        [
            "opened: the handshake is answered; messages count from here on",
            "connected: it has its socket"
        ]
    );
    ann.send_text("join g");
    assert_eq!(ann.texts(1), ["ok"]);
    host.publish(Target::all(host.hub, Audience::Group("g".into())), words("hello"));
    assert_eq!((ann.texts(1), bob.texts(1)), (vec!["0:hello".into()], vec!["0:hello".into()]));
    assert_eq!(
        told(&host, &mut trace, &ann, 6),
        [
            "read: text frame of 6 bytes",
            "joined: the group 'g'",
            "queued: text frame of 4 bytes, for it alone",
            "written: 4 bytes",
            "received: message of 9 bytes",
            "written: 9 bytes",
        ]
    );
    ann.send_text("say g news");
    assert_eq!((ann.texts(1), bob.texts(1)), (vec!["ok".into()], vec!["0:news".into()]));
    assert_eq!(
        told(&host, &mut trace, &ann, 4),
        [
            "read: text frame of 10 bytes",
            "published: to the group 'g'",
            "queued: text frame of 4 bytes, for it alone",
            "written: 4 bytes",
        ]
    );
    host.regroup(Audience::User("ann".into()), GroupChange::LeaveAll);
    assert_eq!(told(&host, &mut trace, &ann, 1), ["left: the group 'g'"]);
    host.close(Audience::Everyone, Close::new(1000, "enough"));
    ann.close_after_texts();
    ann.send(0x88, &1000u16.to_be_bytes());
    assert!(ann.is_ended());
    let told = told(&host, &mut trace, &ann, 6);
    assert_eq!(told[0], "queued: text frame of 13 bytes, for it alone");
    assert_eq!(told[1], "closing: 1000 enough");
    assert_eq!(told[2], "queued: close frame of 10 bytes, for it alone");
    assert_eq!(told[3..5], ["written: 23 bytes", "read: close frame of 2 bytes"]);
    assert_eq!(told[5], "ended: 1000 enough");
    assert_eq!(trace.missed(), 0);
}

#[test]
fn a_reliable_connection_tells_what_waits_and_what_is_acknowledged() {
    let host = Host::start(1);
    let client = host.connect_reliable();
    let id = client.id;
    let mut trace = host.live_trace(Watched::Connection(id)).unwrap();
    // The answer comes after the shard has taken note of the watcher.
    assert_eq!(host.count(Audience::Connection(id)), 1);
    let _other = host.connect_reliable();
    client.cut();
    assert_eq!(host.observe(&mut trace).1, "lost: the peer ended the TCP connection");
    host.publish(Target::all(host.hub, Audience::Group("g".into())), words("a"));
    let waits = "received: message of 5 bytes, sequence id 1; waits, there is no socket for now";
    assert_eq!(host.observe(&mut trace).1, waits);
    let mut client = host.recover(id).unwrap();
    assert_eq!(client.texts(2), ["back", "0:a#1"]);
    client.send_text("ack 1");
    assert_eq!(client.texts(1), ["ok"]);
    assert_eq!(
        told(&host, &mut trace, &client, 6),
        [
            "recovered: it has another socket; what is unacknowledged follows",
            "queued: text frame of 6 bytes, for it alone",
            "queued: text frame of 7 bytes, for it alone",
            "written: 13 bytes",
            "read: text frame of 5 bytes",
            "acknowledged: all up to sequence id 1",
        ]
    );
}

#[test]
fn a_watcher_that_does_not_look_misses_something_and_holds_nobody_up() {
    let host = Host::start(1);
    let mut trace = host.live_trace(Watched::Hub).unwrap();
    let mut client = host.connect(None, &["g"]);
    for number in 0..5_000 {
        host.publish(Target::all(host.hub, Audience::Everyone), words(number.to_string()));
    }
    assert_eq!(client.texts(5_000).last().unwrap(), "0:4999");
    client.send_text("leave g");
    client.texts(1);
    assert!(told(&host, &mut trace, &client, 4_096)[2].starts_with("received: message"));
    assert!(trace.missed() > 0);
    assert_eq!(trace.missed(), 0, "they are counted once");
}

#[test]
fn there_are_so_many_live_traces_and_an_ended_one_makes_room() {
    let host = Host::start(2);
    let mut open: Vec<_> =
        (0..MAX_LIVE_TRACES).map(|_| host.live_trace(Watched::Hub).unwrap()).collect();
    assert!(host.live_trace(Watched::Hub).is_none());
    open.pop();
    let mut again = host.live_trace(Watched::Hub).unwrap();
    let client = host.connect(None, &[]);
    assert_eq!(told(&host, &mut again, &client, 2).len(), 2);
}
