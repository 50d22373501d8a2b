//! Sends: from a request that has been read to the last device.
//!
//! A send is written down with its work in one transaction and answered; everything else is the
//! delivery queue's. The courier walks through the audience page by page, and notes after each page
//! in one transaction who was counted and where to go on, so a crash repeats no more than the page
//! that was under way.
//!
//! - `order`: what the queue keeps of a send
//! - `accept`: a send becomes a notification and its work, once, however often the client repeats it
//! - `courier`: work out of the queue: pages of an audience, lists of devices
//! - `page`: one page of devices, sent with bounded concurrency
//! - `letters`: the message of each device: templates rendered, messages prepared once
//! - `settle`: what outcomes mean for counts, devices and the next attempt
//! - `test_send`: a send to a few devices whose outcome is the answer

mod accept;
mod courier;
mod journeys;
mod letters;
mod order;
mod page;
mod settle;
mod test_send;

pub use accept::Send;
pub use order::{Device, Format, To};
pub use test_send::Tested;

/// The queue of sends; a target is a hub and a format.
pub const QUEUE: &str = "push";

/// Every target that a hub has.
pub(crate) fn targets(hub: crate::store::HubKey) -> impl Iterator<Item = String> {
    let native = crate::Platform::ALL.into_iter().map(Format::Native);
    native.chain([Format::Template]).map(move |format| order::target(hub, format))
}
