//! A TLS handshake that is carried on whatever the certificate is, so that both can be told: what is
//! wrong with it, and what comes after.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::monitor::playbook::Certificate;
use anyhow::Context as _;
use kernel::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::Endpoint;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::config::{Config, Mode};
use crate::trust;

/// Knows what clients trust.
#[derive(Clone)]
pub(super) struct Judge {
    /// In development, the authority of this server.
    own: Arc<[CertificateDer<'static>]>,
    /// The machine's authorities are many, so they are read when they are first needed; on a machine
    /// without any, only looking at certificates fails.
    verifier: Arc<OnceCell<Arc<WebPkiServerVerifier>>>,
}

impl Judge {
    /// The machine's authorities, and in development our own.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let own = trust::ca_file(&config.data.folder);
        let own = match config.mode == Mode::Dev && own.exists() {
            true => CertificateDer::pem_file_iter(&own)?.collect::<Result<_, _>>()?,
            false => Arc::default(),
        };
        Ok(Self { own, verifier: Arc::default() })
    }

    async fn verifier(&self) -> Result<&Arc<WebPkiServerVerifier>, String> {
        let build = || async {
            let own = Arc::clone(&self.own);
            let built = tokio::task::spawn_blocking(move || verifier(&own)).await;
            built.expect("reading certificates does not panic")
        };
        self.verifier.get_or_try_init(build).await
    }

    /// Shakes hands, `until` then.
    ///
    /// # Errors
    /// Why there is no TLS at all.
    pub(super) async fn secured(
        &self,
        tcp: TcpStream,
        endpoint: &Endpoint,
        until: tokio::time::Instant,
        now: Timestamp,
    ) -> Result<(TlsStream<TcpStream>, Option<Certificate>), String> {
        let host = endpoint.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let (inner, now) = (Arc::clone(self.verifier().await?), now.as_secs().unsigned_abs());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let witness = Arc::new(Witness { inner, now, seen: Mutex::default() });
        let connector = connector(Arc::clone(&witness)).map_err(|error| error.to_string())?;
        let stream = match tokio::time::timeout_at(until, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("it does not answer".to_owned()),
        };
        let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((stream, seen.and_then(|(certificate, problem)| told(&certificate, problem))))
    }
}

fn verifier(own: &[CertificateDer<'static>]) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(own.iter().cloned());
    if roots.is_empty() {
        return Err("this machine trusts no certificate authority; install the package \
                    ca-certificates"
            .to_owned());
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    builder.build().map_err(|error| error.to_string())
}

fn connector(witness: Arc<Witness>) -> anyhow::Result<TlsConnector> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("cannot set TLS up")?
        .dangerous()
        .with_custom_certificate_verifier(witness)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Judges as every client does, remembers the judgement, and lets the handshake go on: nothing is sent
/// that an impostor could use.
#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
    now: UnixTime,
    seen: Mutex<Option<(CertificateDer<'static>, Option<String>)>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            self.now,
        );
        let problem = judged.err().map(|error| problem(&error, server_name));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((end_entity.clone().into_owned(), problem));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn problem(error: &Error, name: &ServerName<'_>) -> String {
    use CertificateError as Bad;
    match error {
        Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            format!("it is not for the name {}", name.to_str())
        }
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "it has expired".to_owned()
        }
        Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "it is not valid yet".to_owned()
        }
        Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "it was made by an authority that this machine does not trust, or comes without its \
             intermediate certificates"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// What a certificate says; `None` for what is none.
fn told(certificate: &CertificateDer<'_>, problem: Option<String>) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|it| &it.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let moment = |at: x509_parser::time::ASN1Time| Timestamp::from_secs(at.timestamp());
    Some(Certificate {
        names: names.collect(),
        not_before: moment(parsed.validity().not_before),
        not_after: moment(parsed.validity().not_after),
        issuer: parsed.issuer().to_string(),
        problem,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(std::net::IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(std::net::IpAddr::from);
    v4.or_else(v6).map(|address| address.to_string())
}
