//! Who is connected.

use crate::identifier::RawId;

/// Tells who has a live connection and so needs no push. Whoever holds connections answers.
pub trait Presence: Send + Sync + 'static {
    /// Whether the user is connected, to whichever node.
    fn is_connected(&self, user: &RawId) -> bool;

    /// Whether one device of the user is connected, by the name under which it registers.
    fn is_device_connected(&self, user: &RawId, device: &str) -> bool;
}

/// Nobody is connected.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Presence for Nobody {
    fn is_connected(&self, _: &RawId) -> bool {
        false
    }

    fn is_device_connected(&self, _: &RawId, _: &str) -> bool {
        false
    }
}
