//! Binding ports.
//!
//! A [`Listener`] is one logical port, on one address or on both loopback addresses. Its errors say
//! which port it was about and which flag or key would change it; the caller knows that name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// How many connections may wait to be accepted. A reconnecting crowd arrives faster than it can be
/// accepted; the kernel caps this at its own limit (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// How often another port is tried when the one that is free on IPv4 is taken on IPv6.
const FREE_PORT_ATTEMPTS: usize = 16;

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
}

/// A port that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", reason(*address, option, source))]
pub struct ListenError {
    address: SocketAddr,
    option: String,
    source: io::Error,
}

impl Listener {
    /// Binds `port` on 127.0.0.1 and ::1; 0 picks one that is free on both. A machine without IPv6
    /// gets the IPv4 side alone. `option` names what the operator would change, such as
    /// `--http-port`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`], with the address and the likely cure.
    pub fn bind_loopback(port: u16, option: &str) -> Result<Self, ListenError> {
        let mut attempts_left = if port == 0 { FREE_PORT_ATTEMPTS } else { 1 };
        loop {
            attempts_left -= 1;
            let v4 = Self::bind((Ipv4Addr::LOCALHOST, port).into(), option)?;
            let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port));
            match listen_on(v6) {
                Ok(socket) => {
                    let sockets = v4.sockets.into_iter().chain([socket]).collect();
                    return Ok(Self { sockets, port: v4.port });
                }
                Err(source) if is_missing_ipv6(&source) => {
                    tracing::info!(%source, "no IPv6 on this machine; listening on 127.0.0.1 only");
                    return Ok(v4);
                }
                Err(source) if source.kind() == io::ErrorKind::AddrInUse && attempts_left > 0 => {}
                Err(source) => {
                    return Err(ListenError { address: v6, option: option.to_owned(), source });
                }
            }
        }
    }

    /// Binds one address; port 0 picks a free one. `[::]` takes IPv4 as well. `option` names what
    /// the operator would change. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`], with the address and the likely cure.
    pub fn bind(address: SocketAddr, option: &str) -> Result<Self, ListenError> {
        let bound = listen_on(address).and_then(|socket| {
            let port = socket.local_addr()?.port();
            Ok(Self { sockets: vec![socket], port })
        });
        bound.map_err(|source| ListenError { address, option: option.to_owned(), source })
    }

    /// The port, also when it was picked.
    pub fn local_port(&self) -> u16 {
        self.port
    }

    /// The sockets behind the port, for a server with an accept loop of its own.
    pub fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Without it a restarted server would wait for old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The two ways in which a kernel says that it has no `::1`.
fn is_missing_ipv6(error: &io::Error) -> bool {
    /// "Address family not supported by protocol" on Linux; std has no kind for it.
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

fn reason(address: SocketAddr, option: &str, source: &io::Error) -> String {
    let (ip, port) = (address.ip(), address.port());
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is taken; choose another with {option}, or 0 for any free one")
        }
        io::ErrorKind::PermissionDenied => format!(
            "port {port} is reserved for privileged programs; choose one above 1023 with {option}, \
             or grant CAP_NET_BIND_SERVICE"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {ip}; set one that it has, or {} for all, with {option}",
            every_address(ip)
        ),
        _ => format!("{source}; see {option}"),
    }
}

fn every_address(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_picked_loopback_port_is_the_same_on_both_addresses() {
        let listener = Listener::bind_loopback(0, "--http-port").unwrap();
        for socket in &listener.sockets {
            let address = socket.local_addr().unwrap();
            assert!(address.ip().is_loopback());
            assert_eq!(address.port(), listener.local_port());
        }
        let has_ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        assert_eq!(listener.sockets.len(), if has_ipv6 { 2 } else { 1 });
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_cure() {
        let first = Listener::bind_loopback(0, "--http-port").unwrap();
        let port = first.local_port();
        let error = Listener::bind_loopback(port, "--http-port").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on 127.0.0.1:{port}: port {port} is taken; \
                 choose another with --http-port, or 0 for any free one"
            )
        );
    }

    #[tokio::test]
    async fn a_port_that_is_taken_on_ipv6_alone_is_refused_too() {
        let Ok(other) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return; // nothing to conflict with on a machine without IPv6
        };
        let port = other.local_addr().unwrap().port();
        let error = Listener::bind_loopback(port, "--http-port").unwrap_err();
        assert!(error.to_string().contains(&format!("[::1]:{port}")), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_explained() {
        // 192.0.2.0/24 is kept for documentation (RFC 5737), so no machine has it.
        let error = Listener::bind(([192, 0, 2, 1], 0).into(), "listen.http").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("has no address 192.0.2.1") && text.contains("listen.http"),
            "{text}"
        );
    }
}
