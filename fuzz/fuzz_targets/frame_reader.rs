//! Arbitrary bytes from a socket: no panic, and where the network cuts them changes nothing.
#![no_main]

use std::ops::ControlFlow;

use gateway::Reader;
use gateway::frame::Violation;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let whole = transcript(bytes, |_| usize::MAX);
    assert_eq!(transcript(bytes, |_| 1), whole, "byte by byte");
    // The bytes themselves say how long the pieces are, so the fuzzer learns to move the cuts.
    assert_eq!(transcript(bytes, |next| 1 + usize::from(next % 16)), whole, "in pieces");
});

/// What a reader makes of `bytes`, fed in pieces whose length follows from their first byte.
fn transcript(bytes: &[u8], piece: impl Fn(u8) -> usize) -> (Vec<String>, Result<(), Violation>) {
    let mut reader = Reader::default();
    let mut seen = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let (now, later) = rest.split_at(piece(*first).min(rest.len()));
        rest = later;
        let result = reader.feed(&mut now.to_vec(), LIMIT, &mut |event| {
            seen.push(format!("{event:?}"));
            ControlFlow::Continue(())
        });
        if result.is_err() {
            return (seen, result);
        }
        assert!(reader.held_bytes() <= 3 * LIMIT.max(bytes.len()), "memory follows the limit");
    }
    (seen, Ok(()))
}
