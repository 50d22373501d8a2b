//! Upgraded connections, taken over by a thread that knows neither hyper nor tokio.

use std::io::{self, ErrorKind, Read, Write};
use std::thread;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::*;
use crate::test_client::{connect, connect_tls, read_until};
use crate::upgrade::{Taken, into_parts};

const UPGRADE: &str =
    "GET /up HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

fn router() -> Router {
    Router::new().route("/up", get(upgrade))
}

async fn upgrade(request: Request<Body>) -> Response {
    tokio::spawn(async {
        let taken = into_parts(hyper::upgrade::on(request).await.unwrap()).unwrap();
        thread::spawn(move || echo(taken).unwrap());
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response.header("connection", "upgrade").header("upgrade", "echo");
    response.body(Body::empty()).unwrap()
}

/// Says how the socket was handed over, then sends back all that comes, what was read ahead first,
/// until it ends with a full stop.
fn echo(taken: Taken) -> io::Result<()> {
    let Taken { mut tcp, mut tls, read_ahead } = taken;
    let waits =
        !matches!(tcp.peek(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    tcp.set_nonblocking(false)?;
    match &mut tls {
        None => echo_over(&mut tcp, waits, read_ahead),
        Some(session) => {
            echo_over(&mut rustls::Stream::new(session, &mut tcp), waits, read_ahead)?;
            session.send_close_notify();
            session.write_tls(&mut tcp).map(drop)
        }
    }
}

fn echo_over(stream: &mut (impl Read + Write), waits: bool, mut bytes: Vec<u8>) -> io::Result<()> {
    write!(stream, "waits: {waits}; ")?;
    loop {
        stream.write_all(&bytes)?;
        stream.flush()?;
        if bytes.ends_with(b".") {
            return Ok(());
        }
        bytes.resize(64, 0);
        let length = stream.read(&mut bytes)?;
        bytes.truncate(length);
    }
}

/// Upgrades `stream`; what stands in `early` follows the request at once, piece by piece.
async fn upgraded<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, early: &[&str]) {
    let (first, rest) = early.split_first().unwrap_or((&"", &[]));
    stream.write_all(format!("{UPGRADE}{first}").as_bytes()).await.unwrap();
    for piece in rest {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    stream.flush().await.unwrap();
    let head = read_until(stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

async fn hand_over_works<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    upgraded(&mut stream, &[]).await;
    assert_eq!(read_until(&mut stream, "; ").await, "waits: false; ");
    stream.write_all(b"first, ").await.unwrap();
    assert_eq!(read_until(&mut stream, ", ").await, "first, ");
    stream.write_all(b"last.").await.unwrap();
    assert_eq!(read_until(&mut stream, ".").await, "last.");
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "the new owner closed it");
}

async fn early_bytes_arrive<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    upgraded(&mut stream, &["with the request, ", "behind it."]).await;
    read_until(&mut stream, "; ").await;
    assert_eq!(read_until(&mut stream, "it.").await, "with the request, behind it.");
}

#[tokio::test]
async fn an_upgraded_plain_socket_is_handed_over_nonblocking() {
    let server = start(router());
    hand_over_works(connect(server.port).await).await;
    early_bytes_arrive(connect(server.port).await).await;
}

#[tokio::test]
async fn an_upgraded_tls_socket_is_handed_over_with_its_session() {
    let dev = dev_tls();
    let server = start_with(Limits::default(), Some(Arc::clone(&dev.tls)), router(), AMPLE);
    hand_over_works(connect_tls(server.port, &dev.client("http/1.1")).await).await;
    early_bytes_arrive(connect_tls(server.port, &dev.client("http/1.1")).await).await;
}

#[tokio::test]
async fn an_upgraded_connection_outlives_the_drain() {
    let server = start(router());
    let mut stream = connect(server.port).await;
    upgraded(&mut stream, &[]).await;
    read_until(&mut stream, "; ").await;
    assert_eq!(server.end().await, Ok(()));
    stream.write_all(b"still here.").await.unwrap();
    assert_eq!(read_until(&mut stream, ".").await, "still here.");
}
