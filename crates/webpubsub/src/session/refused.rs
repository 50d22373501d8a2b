//! A client that may not come back: it is let in only to be told.
//!
//! Clients take an HTTP error during recovery for a passing trouble and try again for half a minute;
//! a close with 1008 is what makes them connect anew (client specification).

use gateway::{Close, Effect, Input, Session};
use kernel::Timestamp;

/// Closes as soon as it is open.
pub struct RefusedSession;

impl Session for RefusedSession {
    fn step(&mut self, _now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        if matches!(input, Input::Opened) {
            let close = Close::new(1008, "The connection could not be recovered.");
            effects.push(Effect::Close(close));
        }
    }
}
