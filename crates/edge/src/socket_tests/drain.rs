//! The end of a server: what may finish, what is closed, what is cut.

use std::sync::Arc;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::test_client::{connect, connect_tls, exchange, read_until};

const GET_SLOW: &str = "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A handler that says when it has begun and waits until it may finish.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    may_finish: Arc<Notify>,
}

impl Gate {
    fn router(&self) -> Router {
        let Self { begun, may_finish } = self.clone();
        let slow = async move || {
            begun.notify_one();
            may_finish.notified().await;
            "finished"
        };
        Router::new().route("/slow", get(slow)).route("/quick", get(async || "done"))
    }
}

#[tokio::test]
async fn a_request_in_flight_finishes_and_no_new_connection_is_taken() {
    let gate = Gate::default();
    let server = start(gate.router());
    let port = server.port;
    let asking = tokio::spawn(exchange(connect(port).await, GET_SLOW));
    gate.begun.notified().await;
    server.stop.cancel();
    // The port is closed by another task, at once but not at the same instant.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.may_finish.notify_one();
    assert!(asking.await.unwrap().ends_with("finished"));
    assert_eq!(server.ended.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(Gate::default().router());
    let mut idle = connect(server.port).await;
    idle.write_all(b"GET /quick HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    read_until(&mut idle, "done").await;
    let fresh = connect(server.port).await;
    assert_eq!(server.end().await, Ok(()));
    for mut stream in [idle, fresh] {
        // A connection that was never accepted is reset; both ways it is over.
        assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn a_handshake_in_progress_does_not_hold_up_the_end() {
    let dev = dev_tls();
    let patient = Limits { handshake: AMPLE * 60, ..Limits::default() };
    let tls = Some(Arc::clone(&dev.tls));
    let server = start_with(patient, tls, Gate::default().router(), AMPLE);
    let _silent = connect(server.port).await;
    // Connections are accepted in order, so once this one is served the silent one is accepted.
    let mut served = connect_tls(server.port, &dev.client("http/1.1")).await;
    served.write_all(b"GET /quick HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    read_until(&mut served, "done").await;
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_is_cut_and_counted() {
    let gate = Gate::default();
    let grace = Duration::from_millis(20);
    let server = start_with(Limits::default(), None, gate.router(), grace);
    let asking = tokio::spawn(exchange(connect(server.port).await, GET_SLOW));
    gate.begun.notified().await;
    let unfinished = server.end().await.unwrap_err();
    assert_eq!(unfinished.to_string(), "not finished in time: connection (1)");
    assert_eq!(asking.await.unwrap(), "");
}
