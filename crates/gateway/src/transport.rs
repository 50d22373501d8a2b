//! The socket of one connection, plain or TLS, non-blocking.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

/// A socket whose WebSocket handshake is done, taken over from the HTTP server.
#[derive(Debug)]
pub struct Socket {
    /// The TCP connection, non-blocking, registered with no event loop.
    pub tcp: TcpStream,
    /// The TLS state on top of it, if the client came over TLS.
    pub tls: Option<ServerConnection>,
    /// Bytes that the HTTP server had read beyond the handshake.
    pub read_ahead: Vec<u8>,
}

/// The shard's side of a [`Socket`].
#[derive(Debug)]
pub(crate) struct Transport {
    tcp: mio::net::TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Transport {
    pub(crate) fn new(tcp: TcpStream, tls: Option<ServerConnection>) -> Self {
        Self { tcp: mio::net::TcpStream::from_std(tcp), tls: tls.map(Box::new) }
    }

    /// Asks for events. Both interests at once and for good: notification is edge-triggered, and the
    /// kernel reports writability anew only after a write has found the socket full, so an idle or
    /// fast receiver causes no event and no system call.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.tcp, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Reads what is there; zero means that the peer has finished.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A TCP end without a TLS goodbye is an end all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                outcome => return outcome,
            }
            if tls.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            drain_tls(tls, &mut self.tcp)?;
        }
    }

    /// Whether one short read proves that nothing more is there.
    pub(crate) fn short_read_means_empty(&self) -> bool {
        self.tls.is_none()
    }

    /// Writes as much as the socket takes; `WouldBlock` when it takes nothing.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.write(bytes) };
        if !drain_tls(tls, &mut self.tcp)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write(bytes)?;
        drain_tls(tls, &mut self.tcp)?;
        Ok(taken)
    }

    /// Writes ciphertext that an earlier write left behind; `false` when some is still left.
    pub(crate) fn drain(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            Some(tls) => drain_tls(tls, &mut self.tcp),
            None => Ok(true),
        }
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The peer may be gone already; there is nobody left to tell.
            let _ = drain_tls(tls, &mut self.tcp);
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
    }
}

fn drain_tls(tls: &mut ServerConnection, tcp: &mut mio::net::TcpStream) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(tcp) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
