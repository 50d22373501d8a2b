//! Taking the socket out of an upgraded connection, for an engine that drives it by itself.
//!
//! From [`into_parts`] on neither hyper nor tokio knows the socket: it is out of the runtime's
//! poller, still nonblocking, and closing it is the new owner's business.

use std::io;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;

use crate::stream::Stream;

/// A connection after its upgrade, in pieces.
#[derive(Debug)]
pub struct Taken {
    /// The socket, nonblocking.
    pub tcp: std::net::TcpStream,
    /// The TLS session, when there is one. It may hold decrypted bytes that nobody has read yet:
    /// read from it once before waiting for the socket.
    pub tls: Option<rustls::ServerConnection>,
    /// Decrypted bytes that came right behind the request and were read with it; they precede
    /// whatever `tls` or `tcp` still hold.
    pub read_ahead: Vec<u8>,
}

/// Takes `upgraded` apart. To be called on the runtime that served it.
///
/// # Errors
/// `InvalidInput` when the connection was not accepted by [`crate::serve()`]; else what the runtime
/// says when it gives up the socket.
pub fn into_parts(upgraded: Upgraded) -> io::Result<Taken> {
    let parts = downcast::<TokioIo<Stream>>(upgraded).map_err(|_| {
        let reason = "the upgraded connection is not an HTTP/1.1 connection of this server";
        io::Error::new(io::ErrorKind::InvalidInput, reason)
    })?;
    let (tcp, tls) = match parts.io.into_inner() {
        Stream::Plain(tcp) => (tcp, None),
        Stream::Tls(stream) => {
            let (tcp, session) = stream.into_inner();
            (tcp, Some(session))
        }
    };
    Ok(Taken { tcp: tcp.into_std()?, tls, read_ahead: parts.read_buf.to_vec() })
}
