//! The web console at `/console`: its files, who may use it, and what stands behind its session.
//!
//! The page does its work through the same interfaces as everybody else: it signs calls with the keys
//! that its session tells it, and asks the operator routes that the commands ask, too. So there is no
//! logic of any service here. What the page cannot have by such calls, which resources there are and
//! keys that only the store can replace, comes through the port [`Installation`].
//!
//! - [`sign_in`]: one-time codes and sessions, pure
//! - [`oidc`]: sign-in with an identity provider
//! - [`installation`]: the port
//! - `cookie`, `origin`: what a browser sends along, and whether a page of ours has sent it
//! - `assets`: the files, embedded in the program
//! - `rest`: the routes

mod assets;
mod cookie;
pub mod installation;
pub mod oidc;
mod origin;
mod rest;
pub mod sign_in;

#[cfg(test)]
mod tests;

pub use installation::{Description, Installation, Key, Pending, Resource};
pub use oidc::Oidc;
pub use rest::Console;
