//! Arbitrary text from a chat client, as one packet and as a batch: no panic, a packet that is read is
//! written the same, and each leads to at most an effect and a receipt.
#![no_main]

use communication::signaling::packet::{Packet, decode_batch, encode_batch};
use communication::signaling::trouter::Conversation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(packets) = decode_batch(text) else { return };
    let mut conversation = Conversation::default();
    for text in &packets {
        if let Ok(packet) = Packet::decode(text) {
            assert_eq!(packet.encode(), *text);
        }
        let mut effects = Vec::new();
        conversation.hear(text, &mut effects);
        assert!(effects.len() <= 2, "{effects:?}");
    }
    if packets.len() > 1 {
        let again = encode_batch(packets.iter().copied());
        assert_eq!(decode_batch(&again).as_ref(), Ok(&packets));
    }
});
