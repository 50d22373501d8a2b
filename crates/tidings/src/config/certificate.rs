//! Whether a certificate and a private key can be read and belong together.
//!
//! Serving them, and reading them again when they change, is the business of `edge`.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// What is wrong with the chain in a PEM text, if anything.
pub(super) fn check_chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("it holds no certificate in PEM form".to_owned()),
        Ok(chain) => Ok(chain),
        Err(_) => Err("it is not valid PEM".to_owned()),
    }
}

/// The private key in a PEM text, or what is wrong with it.
pub(super) fn check_key(pem: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "it holds no private key in PEM form without a passphrase".to_owned())
}

/// What keeps the two from being served together, if anything.
pub(super) fn check_pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(), String> {
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err("the private key does not belong to the certificate".to_owned())
        }
        Err(error) => Err(format!("certificate and key cannot be used: {error}")),
    }
}
