//! The port that decides about bearer tokens of publishers.

use kernel::{Error, ErrorKind, Result};

use crate::topic::Topic;

/// Decides whether a bearer token may publish.
pub trait BearerCheck: Send + Sync + 'static {
    /// Judges a token for a topic; `over_tls` tells how it came.
    ///
    /// # Errors
    /// `Unauthenticated` or `Forbidden`, without repeating the token.
    fn check(&self, token: &str, topic: &Topic, over_tls: bool) -> Result<()>;
}

/// Lets every bearer token pass that came over HTTPS: for development, where no issuer is at hand
/// but applications use credentials of one.
#[derive(Clone, Copy, Debug)]
pub struct AnyBearer;

/// Refuses all bearer tokens: where no issuer is configured.
#[derive(Clone, Copy, Debug)]
pub struct NoBearer;

impl BearerCheck for AnyBearer {
    fn check(&self, _: &str, _: &Topic, over_tls: bool) -> Result<()> {
        if over_tls {
            return Ok(());
        }
        let message = "A bearer token came over plain HTTP, where anybody can read it. Use the \
                       HTTPS endpoint.";
        Err(Error::new(ErrorKind::Unauthenticated, "Unauthorized", message))
    }
}

impl BearerCheck for NoBearer {
    fn check(&self, _: &str, _: &Topic, _: bool) -> Result<()> {
        let message = "This server takes no bearer tokens for publishing, since it has no issuer to \
                       check them with. Use a key of the topic (header aeg-sas-key) or a SAS token.";
        Err(Error::new(ErrorKind::Unauthenticated, "Unauthorized", message))
    }
}
