//! Requests and answers, and peers that misbehave.

use std::net::Ipv6Addr;

use axum::Extension;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::test_client::{connect, connect_tls, exchange, read_until};
use crate::{PeerAddr, Scheme};

const GET: &str = "GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn router() -> Router {
    let who = async |Extension(scheme): Extension<Scheme>, Extension(peer): Extension<PeerAddr>| {
        format!("{} {}", scheme.as_str(), peer.0)
    };
    Router::new().route("/who", get(who)).route("/broken", get(broken))
}

async fn broken() -> &'static str {
    panic!("on purpose")
}

/// One request over HTTP/2 with prior knowledge; returns the body.
async fn over_http2<S>(stream: S, port: u16) -> String
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("https://localhost:{port}/who")).body(Body::empty());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert!(response.headers().contains_key("x-ms-request-id"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_handler_learns_scheme_and_peer_on_both_loopback_addresses() {
    let server = start(router());
    let mut streams = vec![connect(server.port).await];
    // A machine without IPv6 is served on the other address alone.
    streams.extend(TcpStream::connect((Ipv6Addr::LOCALHOST, server.port)).await.ok());
    for stream in streams {
        let me = stream.local_addr().unwrap();
        let answer = exchange(stream, GET).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\nhttp {me}")), "{answer}");
    }
}

#[tokio::test]
async fn http1_and_http2_are_spoken_with_and_without_tls() {
    let dev = dev_tls();
    let plain = start(router());
    let secure = start_with(Limits::default(), Some(Arc::clone(&dev.tls)), router(), AMPLE);

    let stream = connect_tls(secure.port, &dev.client("http/1.1")).await;
    assert!(exchange(stream, GET).await.contains("\r\n\r\nhttps 127.0.0.1:"));
    let stream = connect_tls(secure.port, &dev.client("h2")).await;
    assert!(over_http2(stream, secure.port).await.starts_with("https 127.0.0.1:"));
    let stream = connect(plain.port).await;
    assert!(over_http2(stream, plain.port).await.starts_with("http 127.0.0.1:"));
}

#[tokio::test]
async fn a_connection_goes_on_after_a_handler_panicked() {
    let server = start(router());
    let mut stream = connect(server.port).await;
    stream.write_all(b"GET /broken HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = read_until(&mut stream, "of this answer.").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(exchange(stream, GET).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_peer_that_never_asks_is_let_go() {
    let short = Limits { first_request: Duration::from_millis(20), ..Limits::default() };
    let server = start_with(short, None, router(), AMPLE);
    // The second one stops in the middle of the bytes that tell HTTP/2 from HTTP/1.
    for opening in ["", "PRI * HTTP/2.0\r\n", "GET /who HT"] {
        assert_eq!(exchange(connect(server.port).await, opening).await, "", "{opening:?}");
    }
}

#[tokio::test]
async fn a_request_head_that_does_not_end_is_let_go() {
    let short = Limits { head: Duration::from_millis(20), ..Limits::default() };
    let server = start_with(short, None, router(), AMPLE);
    let opening = "GET /who HTTP/1.1\r\nhost: localhost\r\nx-slow: 1\r\n";
    let answer = exchange(connect(server.port).await, opening).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_let_go_and_hinders_nobody() {
    let dev = dev_tls();
    let short = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let server = start_with(short, Some(Arc::clone(&dev.tls)), router(), AMPLE);
    let mut silent = connect(server.port).await;
    let mut babbling = connect(server.port).await;
    babbling.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let good = connect_tls(server.port, &dev.client("http/1.1")).await;
    assert!(exchange(good, GET).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    // The one that spoke no TLS gets an alert or a reset, and in any case the end.
    let _alert = babbling.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_request_head_above_its_limit_is_refused() {
    let server = start(router());
    let fits = format!("GET /who?{} HTTP/1.1\r\nconnection: close\r\n\r\n", "a".repeat(30_000));
    assert!(exchange(connect(server.port).await, &fits).await.starts_with("HTTP/1.1 200 "));
    let mut stream = connect(server.port).await;
    // No end of the head, so that nothing is left unread when the server closes.
    let opening = format!("GET /who HTTP/1.1\r\nx-long: {}", "a".repeat(64 * 1024 - 26));
    stream.write_all(opening.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
