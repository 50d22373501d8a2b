//! One connection of the generator, plain or TLS, non-blocking.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};

/// Connections that share one source address: below the number of ports that the system gives away.
const PORTS_PER_ADDRESS: usize = 10_000;

/// A connected socket.
pub struct Link {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// How the generator reaches a server.
#[derive(Clone)]
pub struct Route {
    /// Where it listens.
    pub address: SocketAddr,
    /// Set for TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// The size of the receive buffer, unless it is the system's choice.
    pub receive_buffer: Option<usize>,
}

impl Route {
    /// A plain connection to `address`.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, receive_buffer: None }
    }
}

impl Link {
    /// Connects. `number` counts the connections of this process and picks the source address.
    pub fn connect(route: &Route, number: usize) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let block = u8::try_from(number / PORTS_PER_ADDRESS % 250).unwrap_or(0);
        let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, block, 1)), 0);
        socket.bind(&source.into()).with_context(|| format!("no free port on {source}"))?;
        // Ended with a reset: nothing lingers that could block the next measurement.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = route.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket
            .connect_timeout(&route.address.into(), Duration::from_secs(10))
            .with_context(|| format!("cannot connect to {}", route.address))?;
        socket.set_nonblocking(true)?;
        let tls = match &route.tls {
            None => None,
            Some(config) => {
                let name = "localhost".try_into().context("localhost is a name")?;
                Some(Box::new(ClientConnection::new(Arc::clone(config), name)?))
            }
        };
        Ok(Self { tcp: socket.into(), tls })
    }

    /// Reads what is there; zero at the end of the stream.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
        if tls.read_tls(&mut self.tcp)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        self.flush_tls()?;
        self.read_decrypted(buffer)
    }

    fn read_decrypted(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.reader().read(buffer),
            None => self.tcp.read(buffer),
        }
    }

    /// Whether decrypted bytes may wait that the socket will not announce.
    pub fn holds_decrypted(&mut self) -> bool {
        self.tls.is_some()
    }

    /// Writes what the socket takes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                self.flush_tls()?;
                Ok(taken)
            }
        }
    }

    fn flush_tls(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.tcp) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    outcome => outcome?,
                };
            }
        }
        Ok(())
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}
