//! Bytes from a client become messages.
//!
//! The [`Reader`] works on the shard's scratch buffer and keeps bytes of its own only while a frame
//! or a fragmented message is incomplete: an idle connection owns no buffer.

use std::ops::ControlFlow;

use crate::frame::{self, OpCode, Violation};

/// A whole message or control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping; its payload must come back in a pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The peer starts or answers the closing handshake.
    Close(Option<(u16, &'a str)>),
}

/// The reading half of one connection.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Vec<u8>,
    fragments: Option<Box<Fragments>>,
}

#[derive(Debug)]
struct Fragments {
    opcode: OpCode,
    payload: Vec<u8>,
}

impl Reader {
    /// Takes the next bytes and hands every message that they complete to `sink`, in order. When
    /// `sink` breaks, whatever follows is dropped unread.
    ///
    /// # Errors
    /// The first [`Violation`]; the connection cannot go on after it.
    pub fn feed(
        &mut self,
        input: &mut [u8],
        max_message: usize,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Violation> {
        if self.partial.is_empty() {
            let used = self.consume(input, max_message, sink)?;
            if let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
                self.keep(rest, max_message)?;
            }
            return Ok(());
        }
        self.partial.extend_from_slice(input);
        let mut gathered = std::mem::take(&mut self.partial);
        let used = self.consume(&mut gathered, max_message, sink)?;
        if used == 0 {
            self.partial = gathered;
        } else if let Some(rest) = gathered.get(used..).filter(|rest| !rest.is_empty()) {
            self.keep(rest, max_message)?;
        }
        Ok(())
    }

    /// Bytes held for an incomplete frame or message.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity() + self.fragments.as_ref().map_or(0, |held| held.payload.capacity())
    }

    /// Keeps an incomplete frame, with room for the whole of it when its length is known already.
    fn keep(&mut self, rest: &[u8], max_message: usize) -> Result<(), Violation> {
        let whole = frame::read_header(rest, max_message)?
            .map_or(rest.len(), |header| header.header_len + header.payload_len);
        self.partial = Vec::with_capacity(whole.max(rest.len()));
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Handles the whole frames at the start of `bytes` and returns how many bytes they took.
    fn consume(
        &mut self,
        bytes: &mut [u8],
        max_message: usize,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<usize, Violation> {
        let mut used = 0;
        while let Some(header) = frame::read_header(&bytes[used..], max_message)? {
            let start = used + header.header_len;
            let Some(payload) = bytes.get_mut(start..start + header.payload_len) else { break };
            frame::unmask(payload, header.mask);
            used = start + header.payload_len;
            if self.accept(header, payload, max_message, sink)?.is_break() {
                return Ok(bytes.len());
            }
        }
        Ok(used)
    }

    fn accept(
        &mut self,
        header: frame::Header,
        payload: &[u8],
        max_message: usize,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        match (header.opcode, self.fragments.is_some()) {
            (OpCode::Ping, _) => Ok(sink(Event::Ping(payload))),
            (OpCode::Pong, _) => Ok(sink(Event::Pong)),
            (OpCode::Close, _) => Ok(sink(Event::Close(frame::read_close(payload)?))),
            (OpCode::Text | OpCode::Binary, true) => {
                Err(Violation::Protocol("A message began before the fragmented one ended."))
            }
            (OpCode::Continuation, false) => {
                Err(Violation::Protocol("A continuation frame came without a message to continue."))
            }
            (opcode @ (OpCode::Text | OpCode::Binary), false) if header.fin => {
                whole_message(opcode, payload, sink)
            }
            (opcode @ (OpCode::Text | OpCode::Binary), false) => {
                self.fragments = Some(Box::new(Fragments { opcode, payload: payload.to_vec() }));
                Ok(ControlFlow::Continue(()))
            }
            (OpCode::Continuation, true) => {
                self.continue_message(header.fin, payload, max_message, sink)
            }
        }
    }

    fn continue_message(
        &mut self,
        fin: bool,
        payload: &[u8],
        max_message: usize,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        let Some(mut fragments) = self.fragments.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        if fragments.payload.len() + payload.len() > max_message {
            return Err(Violation::TooLarge);
        }
        fragments.payload.extend_from_slice(payload);
        if fin {
            return whole_message(fragments.opcode, &fragments.payload, sink);
        }
        self.fragments = Some(fragments);
        Ok(ControlFlow::Continue(()))
    }
}

fn whole_message(
    opcode: OpCode,
    payload: &[u8],
    sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Violation> {
    if opcode == OpCode::Binary {
        return Ok(sink(Event::Binary(payload)));
    }
    let text = std::str::from_utf8(payload).map_err(|_| Violation::NotUtf8)?;
    Ok(sink(Event::Text(text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 4096;

    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let mut out = Vec::new();
        frame::put_header(&mut out, OpCode::Text, payload.len());
        out[0] = first;
        out[1] |= 0x80;
        out.extend_from_slice(&mask);
        let mut masked = payload.to_vec();
        frame::unmask(&mut masked, mask);
        out.extend_from_slice(&masked);
        out
    }

    /// Feeds `bytes` in pieces that end at `cuts` and writes down what came out.
    fn transcript(bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Result<(), Violation>, usize) {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        for end in ends {
            let mut piece = bytes[start..end].to_vec();
            start = end;
            let result = reader.feed(&mut piece, LIMIT, &mut |event| {
                seen.push(format!("{event:?}"));
                ControlFlow::Continue(())
            });
            if result.is_err() {
                return (seen, result, reader.held_bytes());
            }
        }
        (seen, Ok(()), reader.held_bytes())
    }

    #[test]
    fn a_ping_may_stand_between_fragments() {
        let bytes =
            [client_frame(0x01, b"Hel"), client_frame(0x89, b"?"), client_frame(0x80, b"lo")]
                .concat();
        assert_eq!(transcript(&bytes, &[]).0, [r"Ping([63])", r#"Text("Hello")"#]);
    }

    #[test]
    fn text_is_checked_as_a_whole_message() {
        let split = [client_frame(0x01, b"\xc3"), client_frame(0x80, b"\xa9")].concat();
        assert_eq!(transcript(&split, &[]).0, [r#"Text("é")"#]);
        assert_eq!(transcript(&client_frame(0x81, b"\xc3"), &[]).1, Err(Violation::NotUtf8));
    }

    #[test]
    fn fragments_count_together_against_the_limit() {
        let half = vec![b'x'; LIMIT / 2];
        let fits = [client_frame(0x02, &half), client_frame(0x80, &half)].concat();
        assert_eq!(transcript(&fits, &[]).1, Ok(()));
        let over = [client_frame(0x02, &half), client_frame(0x00, &half), client_frame(0x80, b"x")]
            .concat();
        assert_eq!(transcript(&over, &[]).1, Err(Violation::TooLarge));
    }

    #[test]
    fn misplaced_frames_are_refused() {
        let stray = client_frame(0x80, b"x");
        assert_eq!(transcript(&stray, &[]).1.unwrap_err().close_code(), 1002);
        let nested = [client_frame(0x01, b"x"), client_frame(0x81, b"y")].concat();
        assert_eq!(transcript(&nested, &[]).1.unwrap_err().close_code(), 1002);
    }

    #[test]
    fn nothing_is_read_after_the_sink_broke_off() {
        let mut bytes = [client_frame(0x81, b"one"), client_frame(0x81, b"two")].concat();
        let mut count = 0;
        let result = Reader::default().feed(&mut bytes, LIMIT, &mut |_| {
            count += 1;
            ControlFlow::Break(())
        });
        assert_eq!((result, count), (Ok(()), 1));
    }

    #[test]
    fn the_fuzzing_corpus_reads_the_same_wherever_it_is_cut() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/frame_reader");
        let mut seen_in_all = 0;
        for file in std::fs::read_dir(corpus).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let (seen, result, _) = transcript(&bytes, &[]);
            for cut in 0..bytes.len() {
                let (seen_cut, result_cut, _) = transcript(&bytes, &[cut]);
                assert_eq!((&seen_cut, result_cut), (&seen, result), "{path:?} cut at {cut}");
            }
            seen_in_all += seen.len();
        }
        assert!(seen_in_all > 0, "the corpus holds whole messages");
    }

    proptest! {
        #[test]
        fn cuts_do_not_change_what_is_read(
            messages in prop::collection::vec(".{0,200}", 1..6),
            cuts in prop::collection::vec(any::<usize>(), 0..8),
        ) {
            let bytes: Vec<u8> =
                messages.iter().flat_map(|text| client_frame(0x81, text.as_bytes())).collect();
            let expected: Vec<String> = messages.iter().map(|text| format!("Text({text:?})")).collect();
            let (seen, result, held) = transcript(&bytes, &cuts);
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(held, 0, "an idle reader owns no buffer");
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_hold_more_than_a_message(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            cuts in prop::collection::vec(any::<usize>(), 0..4),
        ) {
            let (_, _, held) = transcript(&bytes, &cuts);
            prop_assert!(held <= 3 * LIMIT);
        }
    }
}
