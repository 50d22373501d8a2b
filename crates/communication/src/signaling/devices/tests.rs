//! Who is told what, on which connection, and how often.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::device::MAX_WAITING;
use super::*;
use crate::chat::{ChangeKind, ChatChange};
use crate::signaling::EventKind;
use crate::signaling::Tally;
use crate::signaling::sample;

const NOW: Timestamp = Timestamp::from_secs(1_767_366_305);

/// What went out on a connection.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    /// The numbers of the pushed requests since the last look.
    fn positions(&self) -> Vec<u64> {
        self.take().iter().filter_map(|it| it.strip_prefix("push ")?.parse().ok()).collect()
    }
}

impl Link for Heard {
    fn push(&self, push: &Arc<Push>) {
        let number = push.text.strip_prefix("3:::{\"id\":").unwrap().split(',').next().unwrap();
        self.note(format!("push {number}"));
    }

    fn order(&self, order: Order) {
        self.note(format!("{order:?}"));
    }

    fn close(&self) {
        self.note("close".to_owned());
    }

    fn transport(&self) -> Transport {
        Transport::LongPolling
    }
}

fn ticket(user: &str, device: &str) -> Ticket {
    Ticket {
        user: RawId::new(user),
        device: device.to_owned(),
        issued: NOW,
        token_expires: NOW + Duration::from_hours(1),
        generation: 0,
    }
}

fn connect_as(devices: &Devices, ticket: &Ticket) -> (Heard, Member) {
    let (heard, member) = (Heard::default(), devices.member(ticket));
    devices.attach(&member, ticket, Box::new(heard.clone()), NOW).unwrap();
    (heard, member)
}

fn connect(devices: &Devices, device: &str) -> (Heard, Member) {
    connect_as(devices, &ticket(sample::BOB, device))
}

fn tell(devices: &Devices, change: &ChatChange) {
    devices.announce(&Announcement::of(change));
}

fn message(number: u64) -> ChatChange {
    sample::message_at("hi", NOW + Duration::from_millis(number))
}

#[test]
fn every_device_of_everybody_concerned_is_told() {
    let devices = Devices::default();
    let (phone, _) = connect(&devices, "phone");
    let (laptop, _) = connect(&devices, "laptop");
    let (alice, _) = connect_as(&devices, &ticket(sample::ALICE, "tab"));
    let (stranger, _) = connect_as(&devices, &ticket("8:acs:r_stranger", "tab"));
    tell(&devices, &message(1));
    for heard in [&phone, &laptop, &alice] {
        assert_eq!(heard.positions(), [1]);
    }
    assert_eq!(stranger.take(), [""; 0]);

    tell(&devices, &sample::change(ChangeKind::Typing));
    tell(&devices, &sample::change(ChangeKind::Read { message: 1 }));
    assert_eq!(phone.positions(), [2, 3]);
    assert_eq!(alice.take(), [""; 0], "who types and reads knows it");
}

#[test]
fn who_was_removed_is_told_once_more() {
    let devices = Devices::default();
    let (carol, _) = connect_as(&devices, &ticket("8:acs:r_carol", "tab"));
    let [.., removed] = sample::every_change();
    tell(&devices, &removed);
    tell(&devices, &message(1));
    assert_eq!(carol.positions(), [1]);
}

#[test]
fn what_is_not_answered_comes_again_and_typing_does_not() {
    let devices = Devices::default();
    let (first, member) = connect(&devices, "tab");
    (1..=3).for_each(|number| tell(&devices, &message(number)));
    tell(&devices, &sample::change(ChangeKind::Typing));
    devices.answered(&member, 2, 200);
    devices.answered(&member, 99, 200);
    devices.detach(&member, NOW);
    tell(&devices, &message(5));
    tell(&devices, &sample::change(ChangeKind::Typing));
    assert_eq!(first.positions(), [1, 2, 3, 4]);
    let (second, _) = connect(&devices, "tab");
    assert_eq!(second.positions(), [1, 3, 5]);
}

#[test]
fn the_newest_connection_is_told_and_the_one_before_it_takes_over_again() {
    let devices = Devices::default();
    let (old, old_member) = connect(&devices, "tab");
    let (new, new_member) = connect(&devices, "tab");
    tell(&devices, &message(1));
    assert_eq!((old.positions(), new.positions()), (vec![], vec![1]));
    devices.answered(&old_member, 1, 200);
    tell(&devices, &message(2));
    devices.detach(&new_member, NOW);
    assert_eq!(old.positions(), [2]);
}

#[test]
fn a_device_that_opens_too_many_connections_loses_the_oldest() {
    let devices = Devices::default();
    let lines: Vec<_> = (0..=MAX_LINES).map(|_| connect(&devices, "tab")).collect();
    assert_eq!(lines[0].0.take(), ["close"]);
    assert_eq!(lines[1].0.take(), [""; 0]);
}

#[test]
fn a_user_with_too_many_devices_loses_the_one_that_is_away_longest() {
    let devices = Devices::default();
    let (_, connected) = connect(&devices, "connected");
    for (number, name) in ["away longer", "away"].into_iter().enumerate() {
        let (_, member) = connect(&devices, name);
        devices.detach(&member, NOW + Duration::from_secs(number as u64));
    }
    (3..=MAX_DEVICES).for_each(|number| drop(connect(&devices, &format!("{number}"))));
    assert!(devices.knows(&ticket(sample::BOB, "away")));
    assert!(!devices.knows(&ticket(sample::BOB, "away longer")));
    assert!(devices.knows(&ticket(sample::BOB, &connected.device)));
}

#[test]
fn a_queue_is_bounded_and_a_loss_is_told() {
    let devices = Devices::default();
    let (_, member) = connect(&devices, "tab");
    devices.detach(&member, NOW);
    let count = MAX_WAITING as u64 + 5;
    (1..=count).for_each(|number| tell(&devices, &message(number)));
    let (heard, _) = connect(&devices, "tab");
    let heard = heard.take();
    assert_eq!(heard[0], "Lost");
    assert_eq!(heard[1], "push 6", "the oldest went");
    assert_eq!(heard.len(), MAX_WAITING + 1);
}

#[test]
fn what_a_connection_has_lost_comes_again_on_it() {
    let devices = Devices::default();
    let (heard, member) = connect(&devices, "tab");
    (1..=3).for_each(|number| tell(&devices, &message(number)));
    devices.answered(&member, 2, 200);
    assert_eq!(heard.positions(), [1, 2, 3]);
    let at = |seconds| NOW + Duration::from_secs(seconds);
    for (second, expected) in [(5, vec![]), (12, vec![1, 3]), (20, vec![]), (35, vec![1, 3])] {
        devices.tick(at(second));
        assert_eq!(heard.positions(), expected, "after {second} seconds");
    }
    devices.answered(&member, 1, 200);
    for round in 1..1_000 {
        devices.tick(at(35 + round * 10));
    }
    assert_eq!(heard.positions(), [3, 3, 3], "somebody who never answers is left alone");
}

#[test]
fn ends_come_with_the_token() {
    let devices = Devices::default();
    let (heard, _) = connect(&devices, "tab");
    devices.tick(NOW + Duration::from_mins(59));
    assert_eq!(heard.take(), [""; 0]);
    devices.tick(NOW + Duration::from_hours(1));
    assert_eq!(heard.take(), ["Unauthorized"]);
}

#[test]
fn a_revocation_ends_connections_and_tickets() {
    let devices = Devices::default();
    let (heard, _) = connect(&devices, "tab");
    let (newer, _) =
        connect_as(&devices, &Ticket { generation: 1, ..ticket(sample::BOB, "phone") });
    devices.end(&revoked(sample::BOB, 1), NOW);
    assert_eq!(heard.take(), ["Unauthorized"]);
    let late = ticket(sample::BOB, "tab");
    let attached = devices.attach(&devices.member(&late), &late, Box::new(Heard::default()), NOW);
    assert_eq!(attached, Err(Refused::Unauthorized));
    let fresh = Ticket { generation: 1, ..late };
    connect_as(&devices, &fresh);
    devices.end(&revoked(sample::BOB, 1), NOW);
    assert_eq!(newer.take(), [""; 0], "told twice, it ends nothing newer");
}

fn revoked(user: &str, before: i64) -> Ended {
    Ended { user: RawId::new(user), ending: Ending::Revoked, before }
}

/// What is told of a call.
fn ring(kind: EventKind, call: &str) -> Ring {
    let notice = Notice::with_fields(kind, call.into(), &serde_json::Map::new());
    Ring { call: call.into(), notice: Arc::new(notice), at: NOW }
}

#[test]
fn a_call_rings_at_devices_that_are_there_and_at_those_that_come() {
    let devices = Devices::default();
    let bob = RawId::new(sample::BOB);
    let (phone, _) = connect(&devices, "phone");
    devices.ring(&bob, ring(EventKind::IncomingCall, "c"));
    assert_eq!(phone.positions(), [1]);
    let (laptop, _) = connect(&devices, "laptop");
    assert_eq!(laptop.positions(), [2], "it comes while it rings");
    devices.hush(&bob, &ring(EventKind::CallEnded, "c"));
    assert_eq!(phone.positions(), [3]);
    assert_eq!(laptop.positions(), [3]);
    let (late, _) = connect(&devices, "tablet");
    assert_eq!(late.positions(), [0; 0]);
}

#[test]
fn who_was_away_hears_of_a_missed_call_and_no_ringing() {
    let devices = Devices::default();
    let bob = RawId::new(sample::BOB);
    let (_, member) = connect(&devices, "phone");
    devices.detach(&member, NOW);
    devices.ring(&bob, ring(EventKind::IncomingCall, "c"));
    devices.ring(&bob, ring(EventKind::IncomingCall, "other"));
    devices.hush(&bob, &ring(EventKind::CallEnded, "c"));
    let (back, member) = connect(&devices, "phone");
    assert_eq!(back.positions(), [2, 3], "the other call, and the end of the first");
    for position in [2, 3] {
        devices.answered(&member, position, 404);
    }
    devices.detach(&member, NOW);
    assert_eq!(connect(&devices, "phone").0.positions(), [0; 0]);
}

#[test]
fn who_stays_away_is_forgotten_with_what_waits() {
    let devices = Devices::default();
    let (_, member) = connect(&devices, "tab");
    let (_, staying) = connect(&devices, "other tab");
    devices.detach(&member, NOW);
    tell(&devices, &message(1));
    let reported = devices.tick(NOW);
    assert_eq!(reported.len(), 1);
    assert_eq!(devices.tick(NOW), []);
    devices.tick(NOW + WINDOW);
    assert!(!devices.knows(&ticket(sample::BOB, "tab")));
    assert!(devices.knows(&ticket(sample::BOB, &staying.device)));
}

#[test]
fn who_comes_back_at_once_was_not_away() {
    let devices = Devices::default();
    let bob = RawId::new(sample::BOB);
    assert!(!devices.is_connected(&bob));
    let (_, member) = connect(&devices, "tab");
    devices.detach(&member, NOW);
    assert!(!devices.is_connected(&bob));
    connect(&devices, "tab");
    assert!(devices.is_connected(&bob));
    assert_eq!(devices.tick(NOW), []);
}

#[test]
fn who_unregisters_is_forgotten_with_the_last_connection() {
    let devices = Devices::default();
    let bob = RawId::new(sample::BOB);
    let (_, member) = connect(&devices, "tab");
    tell(&devices, &message(1));
    devices.forget(&bob, "tab");
    devices.detach(&member, NOW);
    tell(&devices, &message(2));
    assert!(!devices.knows(&ticket(sample::BOB, "tab")));
    assert!(connect(&devices, "tab").0.positions().is_empty());
    devices.forget(&bob, "never seen");
}

#[test]
fn who_starts_again_before_the_end_was_heard_stays() {
    let devices = Devices::default();
    let bob = RawId::new(sample::BOB);
    let (_, old) = connect(&devices, "tab");
    devices.forget(&bob, "tab");
    let (heard, new) = connect(&devices, "tab");
    devices.detach(&old, NOW);
    devices.forget(&bob, "tab");
    devices.keep(&bob, "tab");
    tell(&devices, &message(1));
    assert_eq!(heard.take().len(), 1, "told, and not closed");
    devices.detach(&new, NOW);
    assert_eq!(connect(&devices, "tab").0.positions().len(), 1);
}

#[test]
fn what_the_store_remembers_comes_first_and_nothing_twice() {
    let devices = Devices::default();
    let ticket = ticket(sample::BOB, "tab");
    devices.expect(&ticket, NOW);
    tell(&devices, &message(3));
    let stored = [1, 2, 3].map(message).map(|change| (Notice::of(&change), change.at));
    devices.restore(&ticket, Missed { notices: stored.into(), lost: false }, NOW);
    let (heard, member) = connect(&devices, "tab");
    let positions = heard.positions();
    assert_eq!(positions.len(), 3);
    assert_eq!(positions[2], 1, "what was announced comes last");
    positions.into_iter().for_each(|position| devices.answered(&member, position, 200));
    devices.detach(&member, NOW);
    assert!(connect(&devices, "tab").0.positions().is_empty());
}

#[test]
fn answers_are_observed() {
    let tally = Arc::new(Tally::default());
    let devices = Devices::new(vec![tally.clone()]);
    let (_, member) = connect(&devices, "tab");
    tell(&devices, &message(1));
    tell(&devices, &sample::change(ChangeKind::Typing));
    devices.answered(&member, 1, 404);
    devices.answered(&member, 1, 404);
    devices.answered(&member, 2, 200);
    assert_eq!(tally.count(EventKind::MessageReceived).unhandled, 1);
    assert_eq!(tally.count(EventKind::TypingIndicator).handled, 1);
}

#[tokio::test(start_paused = true)]
async fn leaving_asks_everybody_to_move_and_waits_for_them() {
    let devices = Devices::default();
    let (heard, member) = connect(&devices, "tab");
    let patience = Duration::from_secs(5);
    let begun = tokio::time::Instant::now();
    tell(&devices, &message(7));
    let leaving = devices.close(NOW + Duration::from_secs(1));
    assert_eq!(leaving[0].since, message(7).at, "that is not answered");
    let ((), ()) = tokio::join!(devices.leave(patience), async {
        tokio::task::yield_now().await;
        devices.detach(&member, NOW);
    });
    assert_eq!(heard.take(), ["push 1", "Move"]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(devices.tick(NOW), [], "it may be registered elsewhere by now");
    let late = ticket(sample::BOB, "tab");
    let attached = devices.attach(&devices.member(&late), &late, Box::new(Heard::default()), NOW);
    assert_eq!(attached, Err(Refused::Closing));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Announce,
    Connect(usize),
    Cut(usize),
    Answer(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Announce),
        2 => (0_usize..3).prop_map(Step::Connect),
        2 => (0_usize..3).prop_map(Step::Cut),
        4 => (0_usize..3).prop_map(Step::Answer),
    ]
}

proptest! {
    /// However connections come and go: in the end each device has seen everything since it first
    /// connected, in order where it comes for the first time.
    #[test]
    fn no_notification_is_missed(steps in proptest::collection::vec(step(), 1..80)) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let devices = Devices::default();
        let mut lines: BTreeMap<usize, Vec<(Heard, Member)>> = BTreeMap::new();
        let mut seen: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut expected: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut told = 0;
        let finale = (0..3).flat_map(|it| [Step::Cut(it), Step::Connect(it), Step::Answer(it)]);
        for step in steps.into_iter().chain(finale) {
            match step {
                Step::Announce => {
                    tell(&devices, &message(told));
                    told += 1;
                    expected.values_mut().for_each(|it| it.push(told));
                }
                Step::Connect(it) => {
                    expected.entry(it).or_default();
                    lines.entry(it).or_default().push(connect(&devices, NAMES[it]));
                }
                Step::Cut(it) => {
                    for (_, member) in lines.remove(&it).unwrap_or_default() {
                        devices.detach(&member, NOW);
                    }
                }
                Step::Answer(it) => {
                    for (heard, member) in lines.get(&it).into_iter().flatten() {
                        for position in heard.positions() {
                            let seen = seen.entry(it).or_default();
                            if !seen.contains(&position) {
                                seen.push(position);
                            }
                            devices.answered(member, position, 200);
                        }
                    }
                }
            }
        }
        for (it, expected) in expected {
            prop_assert_eq!(seen.remove(&it).unwrap_or_default(), expected);
        }
    }
}

/// Keeps what is pushed.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Arc<Push>>>>);

impl Link for Kept {
    fn push(&self, push: &Arc<Push>) {
        self.0.lock().unwrap().push(Arc::clone(push));
    }

    fn order(&self, _order: Order) {}

    fn close(&self) {}

    fn transport(&self) -> Transport {
        Transport::WebSocket
    }
}

#[test]
fn a_message_to_a_large_thread_is_encoded_once_and_copied_to_each() {
    const CROWD: usize = 250;
    let mut change = message(1);
    let thread = Arc::make_mut(&mut change.thread);
    let bob = thread.participants[1].clone();
    let named = |n: usize| RawId::new(format!("8:acs:r_{n:03}"));
    thread.participants =
        (0..CROWD).map(|n| crate::chat::Participant { id: named(n), ..bob.clone() }).collect();
    let (devices, kept) = (Devices::default(), Kept::default());
    for n in 0..CROWD {
        let ticket = ticket(named(n).as_str(), "tab");
        let member = devices.member(&ticket);
        devices.attach(&member, &ticket, Box::new(kept.clone()), NOW).unwrap();
    }

    let news = Announcement::of(&change);
    devices.announce(&news);
    let shared = Arc::strong_count(&news.notice);
    assert_eq!(shared, 1 + CROWD, "each device keeps the one that was encoded");
    let pushes = kept.0.lock().unwrap();
    assert_eq!(pushes.len(), CROWD);
    for (n, push) in pushes.iter().enumerate() {
        let own = push.text.strip_suffix(news.notice.tail()).unwrap();
        assert!(own.contains(named(n).as_str()) && own.len() < 300, "{own}");
    }
}
