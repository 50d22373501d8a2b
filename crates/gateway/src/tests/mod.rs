//! The engine over real loopback sockets, with a tiny protocol of words in place of a service's.

mod clients;
mod live_trace;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clients::{Client, Host};

use crate::frame::{self, OpCode};
use crate::{
    Audience, Candidate, Close, Content, Filter, GroupChange, Publication, Target, Variant,
};

/// A text that is the same in every wire form but for the form's number in front.
struct Words(String);

impl Content for Words {
    fn encode(&self, variant: Variant) -> Bytes {
        frame::encode(OpCode::Text, format!("{}:{}", variant.number(), self.0).as_bytes())
    }
}

fn words(text: impl Into<String>) -> Publication {
    Publication::new(Words(text.into()))
}

#[test]
fn publications_reach_exactly_their_audience() {
    let host = Host::start(2);
    let mut ann = host.connect(Some("ann"), &["g"]);
    let mut ann_again = host.connect(Some("ann"), &[]);
    let mut bob = host.connect(Some("bob"), &["g"]);
    let everyone = Target::all(host.hub, Audience::Everyone);
    let group =
        Target { excluded: vec![bob.id], ..Target::all(host.hub, Audience::Group("g".into())) };
    host.publish(everyone, words("all"));
    host.publish(group, words("group"));
    host.publish(Target::all(host.hub, Audience::User("ann".into())), words("user"));
    host.publish(Target::all(host.hub, Audience::Connection(bob.id)), words("bob"));
    host.publish(Target::all(host.gateway.hub("other"), Audience::Everyone), words("stranger"));
    assert_eq!(ann.texts(3), ["0:all", "0:group", "0:user"]);
    assert_eq!(ann_again.texts(2), ["0:all", "0:user"]);
    assert_eq!(bob.texts(2), ["0:all", "0:bob"]);
}

#[test]
fn what_is_published_between_registration_and_socket_is_not_missed() {
    let host = Host::start(1);
    let (reservation, id) = host.reserve(None, &[]);
    host.publish(Target::all(host.hub, Audience::Everyone), words("early"));
    let mut client = Client::attach(reservation, id);
    assert_eq!(client.texts(1), ["0:early"]);
}

#[test]
fn what_a_new_socket_says_at_once_lets_no_command_overtake_another() {
    let host = Host::start(1);
    let mut receiver = host.connect(None, &["g"]);
    let (reservation, speaker) = host.reserve(None, &[]);
    let publish = |text: &str| {
        host.publish(Target::all(host.hub, Audience::Group("g".into())), words(text));
    };
    let (is_held, first) = host.hold(receiver.id);
    is_held.recv().unwrap();
    // One batch of commands, and another that comes while the first is carried out.
    let (is_held, second) = host.hold(receiver.id);
    let mut speaker = Client::attach_having_said(reservation, speaker, "say g mine");
    publish("older");
    first.send(()).unwrap();
    is_held.recv().unwrap();
    publish("newer");
    second.send(()).unwrap();
    assert_eq!(speaker.texts(1), ["ok"]);
    assert_eq!(receiver.texts(3), ["0:older", "0:newer", "0:mine"]);
}

#[test]
fn a_reservation_without_a_socket_is_forgotten() {
    let host = Host::start(1);
    let (reservation, id) = host.reserve(None, &[]);
    assert_eq!(host.count(Audience::Connection(id)), 1);
    drop(reservation);
    assert_eq!(host.count(Audience::Connection(id)), 0);
    assert_eq!(host.count(Audience::Everyone), 0);
}

#[test]
fn groups_change_for_connections_and_for_users() {
    let host = Host::start(2);
    let ann: Vec<Client> = (0..4).map(|_| host.connect(Some("ann"), &[])).collect();
    let join = GroupChange::Join("g".into());
    assert_eq!(host.regroup(Audience::User("ann".into()), join.clone()), 4);
    assert_eq!(host.regroup(Audience::User("ann".into()), join), 4, "again, to no effect");
    assert_eq!(host.count(Audience::Group("g".into())), 4);
    host.regroup(Audience::Connection(ann[0].id), GroupChange::Leave("g".into()));
    assert_eq!(host.count(Audience::Group("g".into())), 3);
    host.regroup(Audience::User("ann".into()), GroupChange::LeaveAll);
    assert_eq!(host.count(Audience::Group("g".into())), 0);
    assert_eq!(host.count(Audience::User("ann".into())), 4);
}

#[test]
fn a_session_joins_publishes_without_echo_and_leaves() {
    let host = Host::start(2);
    let mut members: Vec<Client> = (0..3).map(|_| host.connect(None, &[])).collect();
    for member in &mut members {
        member.send_text("join g");
        assert_eq!(member.texts(1), ["ok"]);
    }
    members[0].send_text("say g hello");
    assert_eq!(members[1].texts(1), ["0:hello"]);
    assert_eq!(members[2].texts(1), ["0:hello"]);
    assert_eq!(members[0].texts(1), ["ok"], "the sender gets its answer and no copy");
    members[1].send_text("leave g");
    assert_eq!(members[1].texts(1), ["ok"]);
    assert_eq!(host.count(Audience::Group("g".into())), 2);
}

#[test]
fn the_peers_close_is_answered_with_its_code() {
    let host = Host::start(1);
    let mut client = host.connect(None, &[]);
    client.send(0x88, &4001u16.to_be_bytes());
    assert_eq!(client.close(), (4001, String::new()));
    assert!(client.is_ended());
    assert_eq!(host.count(Audience::Everyone), 0);
}

#[test]
fn a_close_by_the_service_lets_the_session_say_goodbye_first() {
    let host = Host::start(1);
    let mut client = host.connect(None, &[]);
    let closed = host.close(Audience::Connection(client.id), Close::new(1000, "enough"));
    assert_eq!(closed, 1);
    assert_eq!(host.count(Audience::Connection(client.id)), 0, "it counts no longer");
    assert_eq!(client.texts(1), ["bye: enough"]);
    assert_eq!(client.close(), (1000, "enough".into()));
    client.send(0x88, &1000u16.to_be_bytes());
    assert!(client.is_ended());
}

#[test]
fn broken_framing_ends_one_connection_and_no_other() {
    let host = Host::start(1);
    let mut good = host.connect(None, &[]);
    for (bytes, code) in [(&b"\x81\x05plain"[..], 1002), (b"\x81\x81\0\0\0\0\xff", 1007)] {
        let mut bad = host.connect(None, &[]);
        bad.send_raw(bytes);
        assert_eq!(bad.texts(1).len(), 1, "the goodbye");
        assert_eq!(bad.close().0, code);
    }
    good.send_text("join g");
    assert_eq!(good.texts(1), ["ok"]);
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
    let host = Host::start(1);
    let mut client = host.connect(None, &[]);
    client.send(0x82, &vec![7; clients::MAX_MESSAGE]);
    assert_eq!(client.texts(1), [format!("{} bytes", clients::MAX_MESSAGE)]);
    client.send(0x82, &vec![7; clients::MAX_MESSAGE + 1]);
    client.texts(1);
    assert_eq!(client.close(), (1009, "The client message is too large.".into()));
}

#[test]
fn a_panic_in_a_session_costs_one_connection() {
    let host = Host::start(1);
    let (mut good, mut bad) = (host.connect(None, &[]), host.connect(None, &[]));
    bad.send_text("panic");
    assert_eq!(bad.close().0, 1011);
    good.send_text("join g");
    assert_eq!(good.texts(1), ["ok"]);
}

#[test]
fn a_receiver_that_stops_reading_is_closed_and_nobody_else_notices() {
    let host = Host::start(1);
    let mut slow = host.connect(None, &[]);
    let mut quick = host.connect(None, &[]);
    let large = "x".repeat(100_000);
    let mut published = 0;
    while host.metric("tidings_gateway_slow_closes_total") == 0 {
        assert!(published < 2000, "the slow receiver is never closed");
        host.publish(Target::all(host.hub, Audience::Everyone), words(&*large));
        assert_eq!(quick.texts(1)[0].len(), large.len() + 2);
        published += 1;
    }
    assert_eq!(host.count(Audience::Everyone), 1);
    let (code, reason) = slow.close_after_texts();
    assert_eq!((code, &*reason), (1008, "The outbound message queue is full."));
}

#[test]
fn silent_peers_are_pinged_and_then_given_up() {
    let host = Host::start(1);
    let mut client = host.connect(None, &[]);
    let keep_alive = Duration::from_secs(clients::KEEP_ALIVE_SECS.into());
    for _ in 0..2 {
        host.advance(keep_alive);
        assert_eq!(client.opcode(), OpCode::Ping);
    }
    client.send(0x8A, b"");
    client.send_text("join g");
    assert_eq!(client.texts(1), ["ok"]);
    for _ in 0..2 {
        host.advance(keep_alive);
        assert_eq!(client.opcode(), OpCode::Ping);
    }
    host.advance(keep_alive);
    assert!(client.is_ended());
}

#[test]
fn a_recovered_connection_misses_nothing_and_gets_nothing_it_has() {
    let host = Host::start(2);
    let group = || Target::all(host.hub, Audience::Group("g".into()));
    let mut client = host.connect_reliable();
    for text in ["a", "b", "c"] {
        host.publish(group(), words(text));
    }
    assert_eq!(client.texts(3), ["0:a#1", "0:b#2", "0:c#3"]);
    client.send_text("ack 2");
    assert_eq!(client.texts(1), ["ok"]);
    let id = client.cut();
    host.publish(group(), words("d"));
    let mut client = host.recover(id).expect("within the window");
    assert_eq!(client.texts(3), ["back", "0:c#3", "0:d#4"]);
    host.publish(group(), words("e"));
    assert_eq!(client.texts(1), ["0:e#5"]);
    assert_eq!(host.count(Audience::Group("g".into())), 1, "it never left its group");
}

#[test]
fn the_newest_recovery_takes_over_a_socket_that_looks_alive() {
    let host = Host::start(1);
    let mut old = host.connect_reliable();
    host.publish(Target::all(host.hub, Audience::Everyone), words("x"));
    assert_eq!(old.texts(1), ["0:x#1"]);
    let mut new = host.recover(old.id).unwrap();
    assert_eq!(new.texts(2), ["back", "0:x#1"]);
    assert!(old.is_ended());
}

#[test]
fn recovery_is_refused_after_the_window_a_goodbye_or_for_others() {
    let host = Host::start(1);
    let id = host.connect_reliable().cut();
    // The end of the socket has been noticed once the connection can be recovered no more.
    let mut back = host.recover(id).unwrap();
    back.texts(1);
    back.send(0x88, &1000u16.to_be_bytes());
    back.close();
    assert!(back.is_ended() && host.recover(id).is_none(), "after a goodbye");

    let id = host.connect_reliable().cut();
    drop(host.begin_recovery(id).unwrap());
    host.advance(Duration::from_secs(29));
    drop(host.begin_recovery(id).expect("still within the window, which begins anew"));
    host.advance(Duration::from_secs(29));
    assert_eq!(host.count(Audience::Connection(id)), 1);
    host.advance(Duration::from_secs(1));
    assert!(host.recover(id).is_none(), "after the window");

    let plain = host.connect(None, &[]);
    assert!(host.recover(plain.id).is_none(), "not a reliable protocol");
}

#[test]
fn a_socket_of_an_earlier_recovery_that_comes_late_changes_nothing() {
    let host = Host::start(1);
    let id = host.connect_reliable().cut();
    let (older, newer) = (host.begin_recovery(id).unwrap(), host.begin_recovery(id).unwrap());
    let mut new = Client::attach(newer, id);
    assert_eq!(new.texts(1), ["back"]);
    let mut late = Client::attach(older, id);
    assert!(late.is_ended());
    new.send_text("ack 0");
    assert_eq!(new.texts(1), ["ok"]);
}

#[test]
fn a_recovery_resends_more_than_a_queue_may_hold() {
    let host = Host::start(1);
    let everyone = || Target::all(host.hub, Audience::Everyone);
    let id = host.connect_reliable().cut();
    drop(host.begin_recovery(id).unwrap());
    for _ in 0..40 {
        host.publish(everyone(), words("x".repeat(200_000)));
    }
    let mut client = host.recover(id).unwrap();
    host.publish(everyone(), words("last"));
    let texts = client.texts(42);
    assert_eq!((&*texts[0], &*texts[41]), ("back", "0:last#41"));
}

/// The peer is gone before its socket arrives, and what it had sent comes along.
#[test]
fn a_dead_socket_with_input_ends_one_connection() {
    let host = Host::start(1);
    for _ in 0..50 {
        let (reservation, id) = host.reserve(None, &[]);
        host.publish(Target::all(host.hub, Audience::Connection(id)), words("x"));
        Client::attach_reset(reservation, b"\x81\x80\0\0\0\0");
        host.count(Audience::Connection(id));
    }
    let mut good = host.connect(None, &[]);
    good.send_text("join g");
    assert_eq!(good.texts(1), ["ok"]);
}

#[test]
fn nobody_waits_for_an_engine_that_has_stopped() {
    let host = Host::start(1);
    let id = host.gateway.allocate();
    host.gateway.stop();
    assert!(!host.gateway.is_running());
    assert!(!host.can_open(id));
    assert_eq!(host.count(Audience::Connection(id)), 0);
    assert!(host.begin_recovery(id).is_none());
}

#[test]
fn a_paused_connection_is_not_taken_for_dead() {
    let host = Host::start(1);
    let mut client = host.connect(None, &[]);
    client.send_text("pause");
    assert_eq!(client.texts(1), ["ok"]);
    for _ in 0..5 {
        host.advance(Duration::from_secs(clients::KEEP_ALIVE_SECS.into()));
        assert_eq!(client.opcode(), OpCode::Ping);
    }
}

#[test]
fn a_connection_is_in_so_many_groups_and_no_more() {
    let host = Host::start(1);
    let names: Vec<String> = (1..2000).map(|number| number.to_string()).collect();
    let groups: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut client = host.connect(None, &groups);
    client.send_text("join last");
    assert_eq!(client.texts(1), ["ok"]);
    client.send_text("join one-more");
    let (code, reason) = client.close_after_texts();
    assert!(code == 1008 && reason.contains("2000 groups"), "{code} {reason}");
}

#[test]
fn a_full_replay_buffer_ends_the_connection() {
    let host = Host::start(1);
    let mut client = host.connect_reliable();
    for _ in 0..1001 {
        host.publish(Target::all(host.hub, Audience::Everyone), words("x"));
    }
    let (code, reason) = client.close_after_texts();
    assert_eq!((code, &*reason), (1008, "The reliable message buffer is full."));
    assert!(host.recover(client.id).is_none());
}

#[test]
fn listings_are_in_order_and_go_on_where_they_stopped() {
    let host = Host::start(3);
    let clients: Vec<Client> = (0..7).map(|_| host.connect(Some("u"), &["g"])).collect();
    let mut wanted: Vec<_> = clients.iter().map(|client| client.id).collect();
    wanted.sort_unstable();
    let mut seen = Vec::new();
    while let Some(page) = Some(host.list(seen.last().copied(), 3)).filter(|it| !it.is_empty()) {
        assert!(page.iter().all(|listed| listed.user.as_deref() == Some("u")));
        seen.extend(page.iter().map(|listed| listed.id));
    }
    assert_eq!(seen, wanted);
}

/// Lets the members of one group pass.
#[derive(Debug)]
struct InGroup(&'static str);

impl Filter for InGroup {
    fn admits(&self, candidate: &Candidate<'_>) -> bool {
        candidate.groups.contains(self.0)
    }
}

#[test]
fn a_filter_narrows_an_audience() {
    let host = Host::start(1);
    let (mut inside, mut outside) = (host.connect(None, &["vip", "g"]), host.connect(None, &["g"]));
    let all = Target::all(host.hub, Audience::Group("g".into()));
    host.publish(Target { filter: Some(Arc::new(InGroup("vip"))), ..all.clone() }, words("few"));
    host.publish(all, words("all"));
    assert_eq!(inside.texts(2), ["0:few", "0:all"]);
    assert_eq!(outside.texts(1), ["0:all"]);
}

#[test]
fn draining_tells_every_client_and_ends() {
    let host = Host::start(2);
    let mut clients: Vec<Client> = (0..6).map(|_| host.connect(None, &[])).collect();
    let drained = host.begin_drain(Close::new(1001, "The server is shutting down."));
    for client in &mut clients {
        client.texts(1);
        assert_eq!(client.close().0, 1001);
        client.send(0x88, &1001u16.to_be_bytes());
        assert!(client.is_ended());
    }
    drained.join().unwrap();
}

/// The shape of the engine, not its speed: encoded once per wire form however many receive it,
/// joined into few writes when much is in flight, every message to everyone, in order.
#[test]
fn a_burst_to_a_crowd_is_encoded_once_and_joined() {
    const CROWD: u64 = 400;
    const BURST: u64 = 200;
    let host = Host::start(2);
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| host.connect(None, &["g"])).collect();
    let writes_before = host.metric("tidings_gateway_writes_total");
    for number in 0..BURST {
        host.publish(Target::all(host.hub, Audience::Group("g".into())), words(number.to_string()));
    }
    let wanted: Vec<String> = (0..BURST).map(|number| format!("0:{number}")).collect();
    for client in &mut crowd {
        assert_eq!(client.texts(wanted.len()), wanted);
    }
    assert_eq!(host.metric("tidings_gateway_encodings_total"), BURST);
    assert_eq!(host.metric("tidings_gateway_deliveries_total"), BURST * CROWD);
    let writes = host.metric("tidings_gateway_writes_total") - writes_before;
    assert!(writes < BURST * CROWD / 2, "{writes} writes for {} deliveries", BURST * CROWD);
}
