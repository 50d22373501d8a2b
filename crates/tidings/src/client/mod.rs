//! The commands that use a server as its clients do: `tidings connect`, `tidings publish`
//! and `tidings events`.
//!
//! | module | what |
//! |---|---|
//! | [`target`] | which server: its address, its key, whom to trust |
//! | [`connect`] | the terminal client: the only place that waits for several things at once |
//! | [`session`] | what the terminal client does next, pure |
//! | [`lines`], [`print`] | what a person types, and what a person sees, pure |
//! | [`codec`], [`frames`], [`handshake`] | the protocols, pure |
//! | [`socket`] | a WebSocket to the server |
//! | [`publish`] | one REST call |
//! | [`events`] | topics, and how their deliveries fare |
//! | [`trace`] | journeys and live traces |
//! | [`tail`] | what a server tells as it happens |
//! | [`logs`] | the log tables |
//! | [`admin`] | calls to the admin listener |
//!
//! Standard output has messages only, one on each line; everything else goes to standard error.

pub mod admin;
pub mod codec;
pub mod connect;
pub mod doctor;
pub mod events;
pub mod frames;
pub mod handshake;
pub mod lines;
pub mod logs;
pub mod print;
pub mod publish;
pub mod push;
pub mod session;
pub mod socket;
pub mod tail;
pub mod target;
pub mod trace;
