//! Through an HTTP proxy: `CONNECT` (RFC 9110 section 9.3.6), as WebSocket clients do.

use ::monitor::playbook::End;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A head of an answer that is longer is none.
const MAX_HEAD: usize = 8 * 1024;

/// Asks the proxy behind `tcp` for a tunnel to a host and port.
pub(super) async fn through(mut tcp: TcpStream, authority: &str) -> Result<TcpStream, End> {
    let broken = |error: std::io::Error| End::ProxyRefused(error.to_string());
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut head = Vec::new();
    // Byte by byte, since what follows the head belongs to the server.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(End::ProxyRefused("its answer is no HTTP".to_owned()));
        }
        match tcp.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Err(End::ProxyRefused("it closed the connection".to_owned())),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some(code) if code.starts_with('2') => Ok(tcp),
        _ => Err(End::ProxyRefused(status.chars().filter(|c| !c.is_control()).take(200).collect())),
    }
}
