//! The connection engine: it holds every client connection of a node and carries every publication
//! to those who should receive it.
//!
//! It knows WebSocket frames, hubs, users, groups and queues, and nothing of any service: a protocol
//! is a [`Session`] behind a connection, a message is a [`Content`] that can encode itself.
//!
//! | module | what |
//! |---|---|
//! | [`frame`], `reader` | RFC 6455, pure |
//! | [`session`](Session) | the seam to protocols: inputs and effects |
//! | `publication` | a message, encoded at most once per wire form |
//! | `audience`, `membership`, `directory` | who receives: named, per shard, over all shards |
//! | `batch`, `backlog`, `replay` | what is written this turn; what a slow socket would not take; what a reliable client has not acknowledged |
//! | `acknowledgements` | which clients said that they have a message whose journey is recorded |
//! | `shard` | the event loop |
//! | `live_trace` | what happens to some connections, for whoever watches now |
//! | `gateway` | the handle |
//!
//! Invariants: a connection belongs to one shard for life; a frame is encoded once per wire form
//! and written once per connection and turn; every queue is bounded; an idle connection owns no
//! buffer; a publisher never waits for a receiver.

mod acknowledgements;
mod audience;
mod backlog;
mod batch;
mod connection;
mod directory;
pub mod frame;
mod gateway;
mod id;
mod inbox;
mod live_trace;
mod membership;
mod metrics;
mod publication;
mod reader;
mod replay;
mod session;
mod shard;
mod transport;
mod wheel;

pub use audience::{Audience, Candidate, Filter, Groups, Target};
pub use backlog::QueueLimits;
pub use gateway::{Gateway, Reservation, Settings, ShuttingDown};
pub use id::{ConnectionId, HubId};
pub use inbox::{GroupChange, Listed, Opening, Page};
pub use live_trace::{Happening, LiveTrace, Observation, Watched};
pub use publication::{Content, Publication, Variant};
pub use reader::{Event, Reader};
pub use replay::Numbering;
pub use session::{Close, Effect, Input, Raised, Session};
pub use transport::Socket;

#[cfg(test)]
mod tests;
