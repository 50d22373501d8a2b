//! Certificates: loading them, serving and reloading them ([`ServerTls`]), and the development CA
//! ([`DevCa`]).
//!
//! The crypto provider is passed explicitly and never installed for the process. Private keys stay
//! in files and in memory; no error or log line quotes the content of a file.

mod dev_ca;
mod server;
mod tickets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use dev_ca::DevCa;
pub use server::ServerTls;

/// A certificate or key file that cannot be used: which, why, and how to cure it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {problem}; {cure}", path.display())]
pub struct TlsError {
    path: PathBuf,
    problem: String,
    cure: String,
}

impl TlsError {
    pub(crate) fn new(path: &Path, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into(), cure: cure.into() }
    }

    /// The file it is about.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where a certificate and its key lie, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by the intermediate certificates if there are any.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
}

/// A certificate chain with the key that matches it.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    expires: Timestamp,
}

impl Certificate {
    /// Reads a chain and its key, and checks that they belong together.
    ///
    /// # Errors
    /// [`TlsError`] names the file that is missing, unreadable, not PEM of the expected kind, or
    /// does not match its partner.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read_chain(certificate)?;
        let expires = Facts::of(&chain[0], certificate)?.expires;
        let key_der = read_key(key)?;
        let key = CertifiedKey::from_der(chain, key_der, &provider()).map_err(|cause| {
            let problem = format!("not the key of {}: {cause}", certificate.display());
            TlsError::new(key, problem, "give the key that the certificate was issued for")
        })?;
        Ok(Self { key: Arc::new(key), expires })
    }

    /// When it stops being valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// What a certificate says of itself.
struct Facts {
    expires: Timestamp,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    public_key: Vec<u8>,
}

impl Facts {
    fn of(certificate: &CertificateDer<'_>, path: &Path) -> Result<Self, TlsError> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|cause| {
            TlsError::new(path, format!("not an X.509 certificate ({cause})"), EXPECTED_CHAIN)
        })?;
        Ok(Self {
            expires: Timestamp::from_secs(parsed.validity().not_after.timestamp()),
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
        })
    }
}

const EXPECTED_CHAIN: &str =
    "give a PEM file that starts with the server's certificate (-----BEGIN CERTIFICATE-----)";
const EXPECTED_KEY: &str = "give a PEM file with one private key that is not encrypted \
                            (-----BEGIN PRIVATE KEY-----)";

/// The certificates of a PEM file; at least one.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|cause| {
            TlsError::new(path, format!("not a PEM file ({cause})"), EXPECTED_CHAIN)
        })?;
    if chain.is_empty() {
        return Err(TlsError::new(path, "no certificate in it", EXPECTED_CHAIN));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // The parser's own error could quote the file, and the file may hold a key.
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| TlsError::new(path, "no private key in it that can be read", EXPECTED_KEY))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|cause| {
        let cure = "check that the path is right and that this user may read the file";
        TlsError::new(path, cause.to_string(), cure)
    })
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
