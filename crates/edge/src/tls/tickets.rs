//! Session tickets, whose keys are made at the first handshake.
//!
//! A client that comes back resumes with a ticket, so a storm of reconnects costs no signatures, and
//! no client takes memory while it is away. The first random number of a process costs tens of
//! milliseconds, so none is drawn while the server starts. Keys change by themselves.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// Tickets of one server.
#[derive(Debug, Default)]
pub(super) struct Tickets(OnceLock<Option<Arc<dyn ProducesTickets>>>);

impl Tickets {
    /// None when the system gives no random bytes: handshakes then go on without tickets.
    fn keys(&self) -> Option<&dyn ProducesTickets> {
        self.0.get_or_init(|| Ticketer::new().ok()).as_deref()
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.keys().map_or(0, |keys| keys.lifetime())
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys()?.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.keys()?.decrypt(cipher)
    }
}
