//! Packets of socket.io 0.9, and the batches in which the polling transport carries them. Pure.
//!
//! A packet is `type ":" [id ["+"]] ":" [endpoint] [":" data]`. Data may hold colons, so only the first
//! three divide. A batch of one packet is the packet; of several it is `\u{fffd}<length>\u{fffd}<packet>`
//! repeated, with lengths in UTF-16 code units, since the format was made by JavaScript.

use std::fmt::Write as _;

/// What stands around a length in a batch.
const MARK: char = '\u{fffd}';
/// Packets that one batch may hold.
pub const MAX_BATCH: usize = 1_000;

/// The types that this service sends or understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of the conversation.
    Disconnect,
    /// Its beginning.
    Connect,
    /// A sign of life.
    Heartbeat,
    /// Text.
    Message,
    /// JSON, which nobody sends.
    Json,
    /// A name and arguments.
    Event,
    /// The receipt for a packet with an id.
    Ack,
    /// Something went wrong.
    Error,
    /// Nothing.
    Noop,
}

const KINDS: [(char, Kind); 9] = [
    ('0', Kind::Disconnect),
    ('1', Kind::Connect),
    ('2', Kind::Heartbeat),
    ('3', Kind::Message),
    ('4', Kind::Json),
    ('5', Kind::Event),
    ('6', Kind::Ack),
    ('7', Kind::Error),
    ('8', Kind::Noop),
];

/// The id of a packet whose receipt is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a> {
    /// Digits.
    pub text: &'a str,
    /// Whether the receipt carries an answer (`+`).
    pub wants_data: bool,
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its id, if a receipt is wanted.
    pub id: Option<Id<'a>>,
    /// The namespace; empty for the only one that exists here.
    pub endpoint: &'a str,
    /// What it carries.
    pub data: Option<&'a str>,
}

/// The text is no packet, or no batch of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

impl<'a> Packet<'a> {
    /// A packet of text, without id and namespace.
    pub fn new(kind: Kind, data: Option<&'a str>) -> Self {
        Self { kind, id: None, endpoint: "", data }
    }

    /// Reads one packet.
    ///
    /// # Errors
    /// [`Malformed`] says what is missing.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut parts = text.splitn(4, ':');
        let kind = parts.next().and_then(|text| {
            let mut chars = text.chars();
            let (first, rest) = (chars.next()?, chars.next());
            KINDS.iter().find(|(mark, _)| *mark == first && rest.is_none()).map(|(_, kind)| *kind)
        });
        let kind = kind.ok_or(Malformed("A packet begins with its type, a digit from 0 to 8."))?;
        let id =
            parts.next().ok_or(Malformed("After the type of a packet comes ':' and an id."))?;
        let endpoint = parts.next().ok_or(Malformed("After the id of a packet comes ':'."))?;
        Ok(Self { kind, id: Id::decode(id)?, endpoint, data: parts.next() })
    }

    /// Writes the packet.
    pub fn encode(&self) -> String {
        let (mark, _) = KINDS[self.kind as usize];
        let mut text = String::from(mark);
        text.push(':');
        if let Some(id) = self.id {
            text.push_str(id.text);
            text.push_str(if id.wants_data { "+" } else { "" });
        }
        text.push(':');
        text.push_str(self.endpoint);
        if let Some(data) = self.data {
            text.push(':');
            text.push_str(data);
        }
        text
    }
}

impl<'a> Id<'a> {
    fn decode(text: &'a str) -> Result<Option<Self>, Malformed> {
        if text.is_empty() {
            return Ok(None);
        }
        let (digits, wants_data) = match text.strip_suffix('+') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        match !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit())
        {
            true => Ok(Some(Self { text: digits, wants_data })),
            false => Err(Malformed("The id of a packet is a number, with '+' for an answer.")),
        }
    }
}

/// The packets of a polling request.
///
/// # Errors
/// [`Malformed`] when a length is missing, or leads past the end or into a character.
pub fn decode_batch(text: &str) -> Result<Vec<&str>, Malformed> {
    if !text.starts_with(MARK) {
        return Ok(vec![text]);
    }
    let mut packets = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let marked = rest.strip_prefix(MARK).and_then(|rest| rest.split_once(MARK));
        let (length, after) =
            marked.ok_or(Malformed("A batch has a length before each packet."))?;
        let length: usize =
            length.parse().map_err(|_| Malformed("The length of a packet is a number."))?;
        let end = utf16_offset(after, length)
            .ok_or(Malformed("A length in the batch does not fit its packet."))?;
        packets.push(&after[..end]);
        rest = &after[end..];
        if packets.len() > MAX_BATCH {
            return Err(Malformed("A batch has at most 1000 packets."));
        }
    }
    Ok(packets)
}

/// The body of a polling answer.
pub fn encode_batch<'a>(packets: impl ExactSizeIterator<Item = &'a str>) -> String {
    let single = packets.len() == 1;
    let mut text = String::new();
    for packet in packets {
        if !single {
            let length = packet.encode_utf16().count();
            write!(text, "{MARK}{length}{MARK}").expect("writing to memory does not fail");
        }
        text.push_str(packet);
    }
    text
}

/// Where the first `units` UTF-16 code units of a text end, in bytes.
fn utf16_offset(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (offset, c) in text.char_indices() {
        if left == 0 {
            return Some(offset);
        }
        left = left.checked_sub(c.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_of_a_real_conversation_are_read() {
        let event = Packet::decode(r#"5:1+::{"name":"ping"}"#).unwrap();
        assert_eq!(event.kind, Kind::Event);
        assert_eq!(event.id, Some(Id { text: "1", wants_data: true }));
        assert_eq!(event.data, Some(r#"{"name":"ping"}"#));
        let bare = Packet::decode("2::").unwrap();
        assert_eq!((bare.kind, bare.id, bare.data), (Kind::Heartbeat, None, None));
        let colons = Packet::decode("3:::a:b:c").unwrap();
        assert_eq!(colons.data, Some("a:b:c"));
    }

    #[test]
    fn other_texts_are_told_what_is_wrong() {
        for text in ["", "9::", "12::", "5", "5:", "5:x::", "5:+::", "hello", "é::"] {
            assert!(Packet::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_of_a_batch_count_utf16() {
        let text = encode_batch(["3:::☃", "3:::😀"].into_iter());
        assert_eq!(text, "\u{fffd}5\u{fffd}3:::☃\u{fffd}6\u{fffd}3:::😀");
        assert_eq!(decode_batch(&text).unwrap(), ["3:::☃", "3:::😀"]);
        assert_eq!(encode_batch(["8::"].into_iter()), "8::");
    }

    #[test]
    fn damaged_batches_are_refused() {
        for text in ["\u{fffd}", "\u{fffd}x\u{fffd}a", "\u{fffd}2\u{fffd}a", "\u{fffd}1\u{fffd}😀"]
        {
            assert!(decode_batch(text).is_err(), "{text:?}");
        }
        let many = "\u{fffd}0\u{fffd}".repeat(MAX_BATCH + 1);
        assert!(decode_batch(&many).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 0_usize..9, id in proptest::option::of((0_u32.., any::<bool>())),
                                   data in proptest::option::of(".*")) {
            let digits = id.map(|(id, _)| id.to_string());
            let packet = Packet {
                kind: KINDS[kind].1,
                id: digits.as_deref().zip(id).map(|(text, (_, wants_data))| Id { text, wants_data }),
                endpoint: "",
                data: data.as_deref(),
            };
            let text = packet.encode();
            prop_assert_eq!(Packet::decode(&text), Ok(packet));
        }

        #[test]
        fn batches_come_back(packets in proptest::collection::vec("[^\u{fffd}].*", 1..8)) {
            let text = encode_batch(packets.iter().map(String::as_str));
            prop_assert_eq!(decode_batch(&text).unwrap(), packets);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = Packet::decode(&text);
            let _ = decode_batch(&text);
        }
    }
}
