//! Whole handshakes over memory pipes, before and after the files change.

use std::path::Path;

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsAcceptor, client, server};

use super::*;
use crate::test_client::{replace, tls_client, write_certificate};

struct World {
    dir: TempDir,
    files: CertificateFiles,
    tls: Arc<ServerTls>,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let files = write_certificate(dir.path(), "first", &["localhost"]);
    let tls = Arc::new(ServerTls::load(vec![files.clone()]).unwrap());
    World { dir, files, tls }
}

type Pair = (client::TlsStream<DuplexStream>, server::TlsStream<DuplexStream>);

/// A whole handshake for `host` by a client that trusts only the certificate in `trusted`.
async fn handshake(tls: &ServerTls, trusted: &Path, host: &'static str) -> std::io::Result<Pair> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let accept = tokio::spawn(TlsAcceptor::from(tls.config()).accept(far).into_future());
    let name = ServerName::try_from(host).unwrap();
    let connected = tls_client(trusted, &["h2", "http/1.1"]).connect(name, near).await?;
    Ok((connected, accept.await.unwrap()?))
}

#[tokio::test]
async fn a_client_that_comes_back_resumes() {
    let World { files, tls, dir: _dir } = world();
    let connector = tls_client(&files.certificate, &["http/1.1"]);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let accept = tokio::spawn(TlsAcceptor::from(tls.config()).accept(far).into_future());
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = connector.connect(name, near).await.unwrap();
        let mut server = accept.await.unwrap().unwrap();
        // The ticket comes after the handshake, before the first data.
        server.write_all(b"!").await.unwrap();
        server.flush().await.unwrap();
        client.read_exact(&mut [0; 1]).await.unwrap();
        kinds.push(server.get_ref().1.handshake_kind());
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

fn presented(pair: &Pair) -> CertificateDer<'static> {
    pair.0.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn a_replaced_pair_serves_new_connections_and_leaves_old_ones_alone() {
    let World { dir, files, tls } = world();
    let (mut old_client, mut old_server) =
        handshake(&tls, &files.certificate, "localhost").await.unwrap();
    assert!(!tls.reload_if_changed().unwrap(), "nothing has changed yet");

    let before = dir.path().join("before.pem");
    fs::copy(&files.certificate, &before).unwrap();
    write_certificate(dir.path(), "first", &["localhost"]);
    assert!(tls.reload_if_changed().unwrap());
    handshake(&tls, &files.certificate, "localhost").await.unwrap();
    assert!(handshake(&tls, &before, "localhost").await.is_err(), "the old one is still served");

    old_client.write_all(b"still here").await.unwrap();
    old_client.flush().await.unwrap();
    let mut read = [0; 10];
    old_server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"still here");
}

#[tokio::test]
async fn a_bad_new_pair_is_refused_once_and_the_old_one_stays() {
    let World { dir, files, tls } = world();
    let kept = dir.path().join("kept.pem");
    fs::copy(&files.certificate, &kept).unwrap();
    // The certificate arrives before its key, as with any renewal program.
    let next = write_certificate(dir.path(), "next", &["localhost"]);
    replace(&files.certificate, &fs::read_to_string(&next.certificate).unwrap());
    let error = tls.reload_if_changed().unwrap_err();
    assert_eq!(error.path(), files.key);
    assert!(error.to_string().contains("not the key of"), "{error}");
    assert!(!tls.reload_if_changed().unwrap(), "the same files are not tried again");
    handshake(&tls, &kept, "localhost").await.unwrap();

    replace(&files.key, &fs::read_to_string(&next.key).unwrap());
    assert!(tls.reload_if_changed().unwrap());
    handshake(&tls, &next.certificate, "localhost").await.unwrap();
}

#[tokio::test]
async fn the_named_host_picks_the_certificate_and_the_first_is_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let first = write_certificate(dir.path(), "first", &["first.example", "127.0.0.1"]);
    let second = write_certificate(dir.path(), "second", &["*.second.example"]);
    let tls = ServerTls::load(vec![first.clone(), second.clone()]).unwrap();
    let one = handshake(&tls, &first.certificate, "first.example").await.unwrap();
    let two = handshake(&tls, &second.certificate, "hub.second.example").await.unwrap();
    let unnamed = handshake(&tls, &first.certificate, "127.0.0.1").await.unwrap();
    assert_ne!(presented(&one), presented(&two));
    assert_eq!(presented(&one), presented(&unnamed));
}

#[tokio::test]
async fn http2_is_preferred() {
    let World { dir: _dir, files, tls } = world();
    let pair = handshake(&tls, &files.certificate, "localhost").await.unwrap();
    assert_eq!(pair.1.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
}

#[test]
fn a_pair_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = write_certificate(dir.path(), "good", &["localhost"]);
    let load = |certificate: &Path, key: &Path| {
        let files = CertificateFiles { certificate: certificate.into(), key: key.into() };
        ServerTls::load(vec![good.clone(), files]).unwrap_err().to_string()
    };
    let error = load(&dir.path().join("missing.pem"), &good.key);
    assert!(error.contains("missing.pem: No such file"), "{error}");
    let error = load(&good.key, &good.certificate);
    assert!(error.contains("good-key.pem: no certificate in it; give a PEM file"), "{error}");
    let error = load(&good.certificate, &good.certificate);
    assert!(error.contains("good.pem: no private key in it"), "{error}");
    let error = ServerTls::load(Vec::new()).unwrap_err().to_string();
    assert!(error.contains("no certificate configured"), "{error}");
}

#[tokio::test]
async fn watching_brings_a_new_pair_into_use_and_ends_when_cancelled() {
    let World { dir, files, tls } = world();
    let cancel = CancellationToken::new();
    let interval = Duration::from_millis(1);
    let watch = tokio::spawn(Arc::clone(&tls).watch(interval, cancel.clone()));
    let old = tls.certificates()[0].key.cert[0].clone();
    write_certificate(dir.path(), "first", &["localhost"]);
    let changed = async {
        let new = CertificateDer::from_pem_slice(&fs::read(&files.certificate).unwrap()).unwrap();
        while tls.certificates()[0].key.cert[0] != new {
            tokio::task::yield_now().await;
        }
        new
    };
    let new = tokio::time::timeout(Duration::from_secs(30), changed).await.unwrap();
    assert_ne!(new, old);
    cancel.cancel();
    watch.await.unwrap();
}
