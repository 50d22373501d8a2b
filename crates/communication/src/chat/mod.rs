//! Chat: threads, participants, messages, read receipts, typing.
//!
//! | module | what |
//! |---|---|
//! | `model`, `change` | the nouns, and what has happened to them; values |
//! | `rules` | who may do what, and how much; pure |
//! | `sanitize` | HTML made harmless; pure |
//! | `entry` | a thread in memory: order of messages, order of telling |
//! | `store`, `stored` | rows |
//! | `service` | how a change becomes durable and is told |
//! | `threads`, `participants`, `messages`, `reading`, `sweep` | the operations |
//! | `rest` | `/chat/…` |
//!
//! Invariants: a change and the work that it causes are one transaction, and nobody is told before it
//! is on disk; what was decided on an old state of a thread is never written; ids and sequence numbers
//! of a thread's messages only grow, together; changes of a thread are told in their order.

mod change;
mod entry;
mod messages;
mod model;
mod participants;
mod reading;
pub(crate) mod rest;
pub(crate) mod rules;
pub mod sanitize;
mod service;
mod store;
mod stored;
mod sweep;
mod threads;

#[cfg(test)]
mod tests;

pub use change::{Actor, ChangeKind, ChatChange};
pub use messages::{MessagePatch, NewMessage};
pub use model::{
    Content, Message, MessageId, MessageKind, Metadata, Participant, Retention, Thread,
};
pub use participants::{NewParticipant, Refused};
pub use reading::{Listed, MessagePage, Page, Receipt, ThreadPage};
pub use service::{Access, Chat};
pub use threads::{Created, MetadataPatch, NewThread, ThreadPatch};
