//! Servers and proxies that fail in one way each.

use std::net::SocketAddr;

use kernel::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::{self, Flag, Machine};

fn dialer() -> (Dialer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let value = folder.path().display().to_string();
    let flags = [Flag { name: "--data", path: "data.folder", value }];
    let (config, problems) = config::check_dev(&flags, &Machine);
    assert!(config.is_some(), "{problems:?}");
    // An authority to trust, whatever the machine has.
    let tls = trust_folder(folder.path());
    edge::tls::DevCa::load_or_create(&tls, SystemClock.now()).unwrap();
    (Dialer::new(&config.unwrap(), Arc::new(SystemClock)).unwrap(), folder)
}

fn trust_folder(data: &std::path::Path) -> std::path::PathBuf {
    crate::trust::ca_file(data).parent().unwrap().to_owned()
}

/// Somebody who answers the first bytes of each connection with these, and closes.
async fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            let _ = tcp.read(&mut bytes).await;
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    address
}

async fn end(url: &str, proxy: Option<&str>) -> End {
    let (dialer, _folder) = dialer();
    let reached = dialer.dial_all(&[url.to_owned()], proxy).await;
    reached.into_iter().next().unwrap().end
}

#[tokio::test]
async fn an_address_that_is_none_is_told_so() {
    assert!(matches!(end("nonsense", None).await, End::Unusable(_)));
    assert!(matches!(end("http://127.0.0.1:1", Some("socks://x")).await, End::Unusable(_)));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(end(&url, None).await, End::NotConnected(_)));
}

#[tokio::test]
async fn a_server_that_answers_plain_http_and_one_that_says_nothing() {
    let plain = answering("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 5\r\n\r\nsorry").await;
    let End::Answered { status, said } = end(&format!("ws://{plain}"), None).await else {
        panic!("it is no answer")
    };
    assert_eq!((status, said.as_str()), (426, "sorry"));
    let mute = answering("").await;
    assert!(matches!(end(&format!("http://{mute}"), None).await, End::Silent(_)));
}

#[tokio::test]
async fn a_proxy_that_says_no_and_one_that_lets_through() {
    let no = answering("HTTP/1.1 403 Forbidden by policy\r\n\r\n").await;
    let proxy = format!("http://{no}");
    let End::ProxyRefused(said) = end("https://example.invalid", Some(&proxy)).await else {
        panic!("it let through")
    };
    assert_eq!(said, "HTTP/1.1 403 Forbidden by policy");
    let yes = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let reached = end("http://example.invalid", Some(&format!("http://{yes}"))).await;
    assert!(matches!(reached, End::Silent(_)), "{reached:?}");
}

#[tokio::test]
async fn a_server_without_tls_behind_an_https_address() {
    let plain = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert!(matches!(end(&format!("https://{plain}"), None).await, End::TlsBroken(_)));
}

#[tokio::test]
async fn the_clock_of_an_answer_is_compared_with_ours() {
    let past = "HTTP/1.1 400 Bad Request\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\
                content-length: 0\r\n\r\n";
    let address = answering(past).await;
    let (dialer, _folder) = dialer();
    let reached = dialer.dial_all(&[format!("http://{address}")], None).await;
    assert!(reached[0].clock_ahead.unwrap() < -1_000_000, "{reached:?}");
}
