//! The certificates that a server presents, exchanged while it runs.
//!
//! One rustls configuration lives as long as the server; only the resolver behind it changes, so a
//! reload disturbs no connection. A new pair that does not hold is refused and the old one stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::tickets::Tickets;
use super::{Certificate, CertificateFiles, TlsError, provider};

/// The TLS side of a server: its configuration, and its certificates as the files have them.
#[derive(Debug)]
pub struct ServerTls {
    files: Vec<CertificateFiles>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    /// How each pair of files looked when it was last read, whether it could be used or not.
    seen: Mutex<Vec<PairStamp>>,
}

impl ServerTls {
    /// Loads every pair of `files`. A client that names a host gets the first certificate that is
    /// valid for it; the first of all is for every other client. ALPN offers HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// [`TlsError`] for the first pair that cannot be used, or when `files` is empty.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Self, TlsError> {
        if files.is_empty() {
            let cure = "configure a certificate and its key";
            return Err(TlsError::new(Path::new("TLS"), "no certificate configured", cure));
        }
        // Stamps come first: a change right after them is seen as a change later.
        let seen = files.iter().map(PairStamp::of).collect();
        let certificates = files
            .iter()
            .map(|pair| Certificate::load(&pair.certificate, &pair.key))
            .collect::<Result<Vec<_>, _>>()?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certificates)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Arc::new(Tickets::default());
        Ok(Self { files, current, config: Arc::new(config), seen: Mutex::new(seen) })
    }

    /// The configuration for rustls. Always the same one; reloads happen behind it.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The certificates in use, in the order of the files.
    pub fn certificates(&self) -> Arc<Vec<Certificate>> {
        self.current.0.load_full()
    }

    /// Reads those pairs again whose files look different from when they were last read, and uses
    /// what holds. Returns whether anything new is in use. Blocks on file access.
    ///
    /// # Errors
    /// [`TlsError`] for the first changed pair that cannot be used; its old certificate stays. The
    /// same files are not tried again until they change again, which also covers a certificate
    /// that was written before its key.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut certificates = Vec::clone(&self.current.0.load());
        let mut reloaded = false;
        let mut failure = None;
        for (index, pair) in self.files.iter().enumerate() {
            let stamp = PairStamp::of(pair);
            if stamp == seen[index] {
                continue;
            }
            seen[index] = stamp;
            match Certificate::load(&pair.certificate, &pair.key) {
                Ok(certificate) => {
                    certificates[index] = certificate;
                    reloaded = true;
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if reloaded {
            self.current.0.store(Arc::new(certificates));
        }
        failure.map_or(Ok(reloaded), Err)
    }

    /// Looks at the files every `interval` until cancelled, and logs what came of it.
    pub async fn watch(self: Arc<Self>, interval: Duration, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let tls = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || tls.reload_if_changed()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!("certificates reloaded"),
                Ok(Err(reason)) => {
                    tracing::warn!(%reason, "a changed certificate was refused; the old one stays");
                }
                Err(cause) => tracing::error!(%cause, "looking at the certificates failed"),
            }
        }
    }
}

/// What the resolver reads at each handshake.
#[derive(Debug)]
struct Current(ArcSwap<Vec<Certificate>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.load();
        let named = match (certificates.len(), hello.server_name()) {
            (2.., Some(host)) => certificates.iter().find(|one| is_valid_for(one, host)),
            _ => None,
        };
        named.or(certificates.first()).map(|certificate| Arc::clone(&certificate.key))
    }
}

fn is_valid_for(certificate: &Certificate, host: &str) -> bool {
    let Ok(host) = ServerName::try_from(host) else { return false };
    let leaf = certificate.key.end_entity_cert().and_then(ParsedCertificate::try_from);
    leaf.is_ok_and(|leaf| verify_server_name(&leaf, &host).is_ok())
}

/// How two files look from outside; both `None` while they are missing.
#[derive(Debug, PartialEq, Eq)]
struct PairStamp([Option<FileStamp>; 2]);

/// The inode tells a replaced file from a rewritten one when time and length agree.
#[derive(Debug, PartialEq, Eq)]
struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl PairStamp {
    fn of(files: &CertificateFiles) -> Self {
        Self([&files.certificate, &files.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            let modified = metadata.modified().ok();
            Some(FileStamp { modified, length: metadata.len(), inode: metadata.ino() })
        }))
    }
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
