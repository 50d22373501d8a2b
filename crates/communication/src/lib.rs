//! The Communication Services: identities and chat.
//!
//! | module | what |
//! |---|---|
//! | `identity` | users, access tokens, the keys that sign them; `/identities`, `/access` |
//! | `chat` | threads, participants, messages, receipts; `/chat` |
//! | `events` | the Event Grid events that a change in chat causes; pure |
//! | `signaling` | real-time notifications of chat clients |
//! | `calling` | ringing: calls, who answers, who is told; `/calling` |
//! | `link` | the notification hub of a resource, and everything that may be wrong with it |
//! | `push` | devices, and pushes to those who are not connected |
//! | [`Ports`] | what chat needs of others: telling who is connected, durable work |
//! | `identifier` | raw ids and identifier objects |
//! | `resource`, `service` | keys, hosts, and what the entrances share |
//! | `limits`, `throttle` | how often an operation may be asked for |
//! | `standing` | who should have been told, and what is registered; for people |
//!
//! Invariants: nothing here knows another service; a change and the work it causes are one
//! transaction; every refusal says what to do.

pub mod calling;
pub mod chat;
pub mod events;
mod identifier;
pub mod identity;
mod limits;
pub mod link;
mod ports;
pub mod push;
mod recent;
mod resource;
mod rest;
mod service;
pub mod signaling;
pub mod standing;
mod store;
#[cfg(test)]
mod testing;
mod throttle;
mod time;
mod version;

pub use identifier::{IdentifierModel, RawId};
pub use ports::{Outbox, Ports, Realtime, Work};
pub use resource::{DEFAULT_CLOCK_SKEW, Resource, Resources};
pub use service::Communication;
pub use store::MIGRATIONS;
pub use throttle::Throttle;
