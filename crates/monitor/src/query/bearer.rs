//! The port that decides about bearer tokens of those who query.

use kernel::{Error, ErrorKind, Result};

/// Decides whether a bearer token may query the log tables.
pub trait BearerCheck: Send + Sync + 'static {
    /// Judges a token; `over_tls` tells how it came.
    ///
    /// # Errors
    /// `Unauthenticated` or `Forbidden`, without repeating the token.
    fn check(&self, token: &str, over_tls: bool) -> Result<()>;
}

/// Lets every bearer token pass that came over HTTPS: for development, where no issuer is at hand
/// but applications use credentials of one.
#[derive(Clone, Copy, Debug)]
pub struct AnyBearer;

/// Refuses all bearer tokens: where nobody is configured to check them.
#[derive(Clone, Copy, Debug)]
pub struct NoBearer;

impl BearerCheck for AnyBearer {
    fn check(&self, _: &str, over_tls: bool) -> Result<()> {
        if over_tls {
            return Ok(());
        }
        let message = "A bearer token came over plain HTTP, where anybody can read it. Use the HTTPS \
                       endpoint.";
        Err(Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", message))
    }
}

impl BearerCheck for NoBearer {
    fn check(&self, _: &str, _: bool) -> Result<()> {
        let message = "This server takes no bearer tokens for log queries, since it has nothing to \
                       check them with. Use `tidings logs query` on its machine.";
        Err(Error::new(ErrorKind::Forbidden, "InvalidAuthenticationToken", message))
    }
}
