//! The conversation with one client, on whatever transport: a pure state machine.
//!
//! The client sends events that want a receipt (`user.activity`, `ping`) and the answers to what it
//! was pushed. We greet it, push, and ask it to move or to go. What was pushed and not answered is
//! remembered by its device, not here: that outlives the connection.

use serde::Deserialize;
use serde_json::{Value, json};

use super::packet::{Id, Kind, Malformed, Packet};

/// Seconds for which a connection is good, as clients are told. They do nothing when the time is
/// over, so it is long, as the real service has it.
pub const CONNECTION_TTL_SECS: u32 = 586_369;

/// What follows from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this packet.
    Send(String),
    /// The client has taken a pushed request, and says how that went.
    Answered {
        /// The number of the request.
        position: u64,
        /// 200, or 404 when nothing in the client took it.
        status: u16,
    },
    /// The conversation is over by the client's wish; the transport closes.
    Ended,
    /// The client does not speak the protocol; the transport closes and says why.
    Broken(Malformed),
}

/// What a client is told beside what it is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Notifications have been lost.
    Lost,
    /// Open another connection, then leave this one.
    Move,
    /// The token does not hold any more: bring another one.
    Unauthorized,
}

/// The state of one conversation.
#[derive(Debug, Default)]
pub struct Conversation {
    over: bool,
}

/// A pushed request's answer.
#[derive(Deserialize)]
struct Answer {
    id: Value,
    status: u16,
}

impl Conversation {
    /// What the client is told first. The second packet is what makes it "connected".
    pub fn greeting() -> [String; 2] {
        let event = json!({
            "name": "trouter.connected",
            "args": [{ "ttl": CONNECTION_TTL_SECS, "dur": "0" }],
        });
        [Packet::new(Kind::Connect, None).encode(), event_packet(&event)]
    }

    /// What there is to say for an order. After [`Order::Unauthorized`] the transport closes.
    pub fn order(&mut self, order: Order, moment: &str) -> String {
        match order {
            // A loss is told with a moment; clients only confirm it.
            Order::Lost => event_packet(&json!({
                "name": "trouter.message_loss",
                "args": [{ "droppedIndicators": [{ "tag": "messaging", "etag": moment }] }],
            })),
            Order::Move => event_packet(&json!({
                "name": "trouter.reconnect",
                "args": [{ "target": "global" }],
            })),
            Order::Unauthorized => {
                self.over = true;
                let reason = r#"{"reason":"unauthorized"}"#;
                Packet::new(Kind::Disconnect, Some(reason)).encode()
            }
        }
    }

    /// Takes one packet of the client.
    pub fn hear(&mut self, text: &str, effects: &mut Vec<Effect>) {
        if self.over {
            return;
        }
        let packet = match Packet::decode(text) {
            Ok(packet) => packet,
            Err(malformed) => {
                self.over = true;
                return effects.push(Effect::Broken(malformed));
            }
        };
        match packet.kind {
            Kind::Disconnect => {
                self.over = true;
                effects.push(Effect::Ended);
            }
            Kind::Message => effects.extend(packet.data.and_then(answer)),
            Kind::Event => {}
            // Signs of life and receipts need no answer, and nothing else is expected.
            Kind::Connect | Kind::Heartbeat | Kind::Json | Kind::Ack | Kind::Error | Kind::Noop => {
            }
        }
        if let Some(id) = packet.id {
            effects.push(Effect::Send(receipt(id, &packet)));
        }
    }
}

/// The receipt of a packet. An event that nobody knows gets one, too: a client that waits in vain
/// would reconnect.
fn receipt(id: Id<'_>, packet: &Packet<'_>) -> String {
    let mut data = id.text.to_owned();
    if id.wants_data {
        let is_ping = packet.kind == Kind::Event && packet.data.is_some_and(is_ping);
        data.push_str(if is_ping { r#"+["pong"]"# } else { "+[]" });
    }
    Packet::new(Kind::Ack, Some(&data)).encode()
}

fn is_ping(data: &str) -> bool {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        name: std::borrow::Cow<'a, str>,
    }
    serde_json::from_str::<Event<'_>>(data).is_ok_and(|event| event.name == "ping")
}

fn answer(data: &str) -> Option<Effect> {
    let Answer { id, status } = serde_json::from_str(data).ok()?;
    let position = match &id {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    position.map(|position| Effect::Answered { position, status })
}

fn event_packet(event: &Value) -> String {
    Packet::new(Kind::Event, Some(&event.to_string())).encode()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signaling::packet::decode_batch;

    fn heard(conversation: &mut Conversation, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        conversation.hear(text, &mut effects);
        effects
    }

    fn hears(text: &str) -> Vec<Effect> {
        heard(&mut Conversation::default(), text)
    }

    #[test]
    fn activity_and_ping_get_the_receipts_that_clients_wait_for() {
        let activity = r#"5:1+::{"name":"user.activity","args":[{"state":"active","cv":"x"}]}"#;
        assert_eq!(hears(activity), [Effect::Send("6:::1+[]".to_owned())]);
        let ping = r#"5:12+::{"name":"ping"}"#;
        assert_eq!(hears(ping), [Effect::Send(r#"6:::12+["pong"]"#.to_owned())]);
        assert_eq!(hears("5:3::{}"), [Effect::Send("6:::3".to_owned())]);
        assert_eq!(hears("5:4+::not json"), [Effect::Send("6:::4+[]".to_owned())]);
    }

    #[test]
    fn answers_name_their_request_by_number_or_text() {
        let expected = [Effect::Answered { position: 17, status: 404 }];
        assert_eq!(hears(r#"3:::{"id":17,"status":404,"headers":{},"body":""}"#), expected);
        assert_eq!(hears(r#"3:::{"id":"17","status":404}"#), expected);
        for text in ["3:::", "3:::{}", r#"3:::{"id":-1,"status":200}"#, r#"3:::{"id":1}"#, "2::"] {
            assert_eq!(hears(text), [], "{text}");
        }
    }

    #[test]
    fn after_the_end_nothing_is_heard() {
        let mut conversation = Conversation::default();
        assert_eq!(heard(&mut conversation, "0::"), [Effect::Ended]);
        assert_eq!(heard(&mut conversation, r#"5:1+::{"name":"ping"}"#), []);

        let mut refused = Conversation::default();
        let goodbye = refused.order(Order::Unauthorized, "");
        assert_eq!(goodbye, r#"0:::{"reason":"unauthorized"}"#);
        assert_eq!(heard(&mut refused, r#"3:::{"id":1,"status":200}"#), []);
        assert!(matches!(hears("what?")[..], [Effect::Broken(_)]));
    }

    #[test]
    fn the_greeting_and_the_orders_are_packets() {
        let mut conversation = Conversation::default();
        let [connect, connected] = Conversation::greeting();
        assert_eq!(connect, "1::");
        assert!(connected.starts_with(r#"5:::{"#) && connected.contains("trouter.connected"));
        let lost = conversation.order(Order::Lost, "2026-01-02T15:04:05Z");
        assert!(lost.contains(r#""etag":"2026-01-02T15:04:05Z""#), "{lost}");
        assert!(conversation.order(Order::Move, "").contains("trouter.reconnect"));
    }

    #[test]
    fn the_fuzzing_corpus_behaves() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/signaling_packets");
        let (mut packets, mut refused) = (0, 0);
        for entry in std::fs::read_dir(corpus).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            match decode_batch(&text) {
                Ok(batch) => batch.iter().for_each(|text| {
                    packets += 1;
                    assert!(hears(text).len() <= 2, "{text}");
                }),
                Err(_) => refused += 1,
            }
        }
        assert!(packets > 4 && refused > 1, "{packets} packets, {refused} refused");
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic_and_get_at_most_a_receipt(
            head in "[0-9]:[0-9]{0,3}\\+?:", data in ".*"
        ) {
            let effects = hears(&format!("{head}:{data}"));
            prop_assert!(effects.len() <= 2);
        }
    }
}
