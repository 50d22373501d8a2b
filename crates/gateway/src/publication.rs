//! A message on its way to many receivers, encoded at most once per wire variant.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kernel::{Journey, Timestamp};

/// A wire form that several connections share: subprotocol and frame type together. Services number
/// their own, from zero, below [`Variant::LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant(u8);

impl Variant {
    /// How many wire forms one service may have.
    pub const LIMIT: u8 = 8;

    /// The wire form with this number.
    ///
    /// # Panics
    /// When `number` is not below [`Variant::LIMIT`]; the numbers are constants of a service.
    pub const fn new(number: u8) -> Self {
        assert!(number < Self::LIMIT, "a service has at most eight wire forms");
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a service publishes.
pub trait Content: Send + Sync + 'static {
    /// The whole WebSocket frame (see [`crate::frame`]) in one wire form; for the form of a reliable
    /// protocol the body that its [`crate::Numbering`] completes. Called at most once for each form
    /// that a receiver has, on a shard's thread.
    fn encode(&self, variant: Variant) -> Bytes;
}

/// A message and its encodings so far, shared by all shards.
#[derive(Clone)]
pub struct Publication(Arc<Inner>);

struct Inner {
    content: Box<dyn Content>,
    expires: Option<Timestamp>,
    journey: Option<Journey>,
    frames: [OnceLock<Bytes>; Variant::LIMIT as usize],
}

impl Publication {
    /// A message that nobody has encoded yet.
    pub fn new(content: impl Content) -> Self {
        Self::expiring(content, None)
    }

    /// A message that is not worth sending again after a moment; see [`Self::expires`]. It belongs to
    /// the journey in whose course it is made, if that is recorded.
    pub fn expiring(content: impl Content, expires: Option<Timestamp>) -> Self {
        let journey = Journey::recorded();
        let content = Box::new(content);
        Self(Arc::new(Inner { content, expires, journey, frames: Default::default() }))
    }

    /// When a copy that waits for a reliable receiver is dropped; `None` for never.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.0.expires
    }

    /// Where its way is recorded, if it is.
    pub(crate) fn journey(&self) -> Option<&Journey> {
        self.0.journey.as_ref()
    }

    /// The frame for one wire form, and whether this call was the one that encoded it.
    pub(crate) fn frame(&self, variant: Variant) -> (&Bytes, bool) {
        let mut encoded_now = false;
        let frame = self.0.frames[variant.index()].get_or_init(|| {
            encoded_now = true;
            self.0.content.encode(variant)
        });
        (frame, encoded_now)
    }
}

impl fmt::Debug for Publication {
    /// Shows nothing of the content: payloads are never logged.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Publication")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl Content for Counting {
        fn encode(&self, variant: Variant) -> Bytes {
            self.0.fetch_add(1, Ordering::SeqCst);
            Bytes::copy_from_slice(&[variant.number()])
        }
    }

    #[test]
    fn each_wire_form_is_encoded_once() {
        let content = Counting::default();
        let publication = Publication::new(content.clone());
        for _ in 0..3 {
            for number in [0, 5] {
                assert_eq!(publication.frame(Variant::new(number)).0[..], [number]);
            }
        }
        assert_eq!(content.0.load(Ordering::SeqCst), 2);
    }
}
