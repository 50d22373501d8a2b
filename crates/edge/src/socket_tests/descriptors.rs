//! Running out of file descriptors.
//!
//! The limit belongs to a process, so the test runs itself again in one that has few.

use std::fs::File;
use std::process::Command;

use axum::routing::get;
use tokio::net::TcpSocket;

use super::*;
use testkit::LogLines;

use crate::test_client::{connect, exchange};

const INNER: &str = "socket_tests::descriptors::with_few_descriptors";

#[test]
fn running_out_of_descriptors_delays_connections_and_no_more() {
    let this = std::env::current_exe().unwrap();
    let run = "ulimit -n 64 && exec \"$0\" --exact \"$1\" --ignored --test-threads 1";
    let output = Command::new("sh").args(["-c", run]).arg(this).arg(INNER).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
#[ignore = "needs a process with few descriptors; the test above runs it in one"]
async fn with_few_descriptors() {
    let log = LogLines::catch();
    let server = start(Router::new().route("/", get(async || "served")));
    let waiting = TcpSocket::new_v4().unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    // The kernel takes the connection; the server has no descriptor for it.
    let waiting = waiting.connect(([127, 0, 0, 1], server.port).into()).await.unwrap();
    while !log.text().contains("no file descriptor is left") {
        tokio::task::yield_now().await;
    }
    hoard.clear();
    let get = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(exchange(waiting, get).await.ends_with("served"));
    assert!(exchange(connect(server.port).await, get).await.ends_with("served"));
    assert_eq!(log.text().matches("no file descriptor is left").count(), 1, "{}", log.text());
}
