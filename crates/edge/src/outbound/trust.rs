//! Whom outgoing TLS trusts: the machine's certificate authorities and those of one extra file.
//!
//! The extra file is read at once, so that a mistake shows at the start. The machine's own are many
//! and are read when the first connection needs them.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::tls::{TlsError, provider, read_chain};

/// The trusted authorities.
pub(super) struct Trust {
    extra: RootCertStore,
    connector: OnceCell<TlsConnector>,
}

impl Trust {
    /// Reads the extra file.
    pub(super) fn new(extra_ca: Option<&Path>) -> Result<Self, TlsError> {
        let mut extra = RootCertStore::empty();
        if let Some(path) = extra_ca {
            for certificate in read_chain(path)? {
                extra.add(certificate).map_err(|cause| {
                    let cure = "give the certificate of a certificate authority, in PEM";
                    TlsError::new(path, format!("cannot be trusted as a CA ({cause})"), cure)
                })?;
            }
        }
        Ok(Self { extra, connector: OnceCell::new() })
    }

    /// What shakes hands.
    pub(super) async fn connector(&self) -> &TlsConnector {
        let build = || async {
            let extra = self.extra.clone();
            let built = tokio::task::spawn_blocking(move || connector(extra)).await;
            built.expect("reading certificates does not panic")
        };
        self.connector.get_or_init(build).await
    }
}

fn connector(mut roots: RootCertStore) -> TlsConnector {
    let found = rustls_native_certs::load_native_certs();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(
            problems = ?found.errors,
            "this machine has no certificate authorities, so outgoing HTTPS reaches only servers of \
             the extra CA; install the package ca-certificates"
        );
    }
    let mut tls = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(tls).into()
}
