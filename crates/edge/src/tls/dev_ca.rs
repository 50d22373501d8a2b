//! The development CA: made once, kept, trusted by the developer's tools; with it a certificate for
//! this machine, renewed as needed.
//!
//! The CA may only vouch for `localhost` names and loopback addresses, so that its key, which lies
//! in a developer's data folder, is of no use against any other site. It is never replaced by
//! itself: that would quietly break the trust of every tool. Who calls holds the data folder's
//! lock; two processes must not create the same CA at once.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::{CertificateFiles, Facts, TlsError, provider, read, read_chain, read_key};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CA_LIFE: Duration = DAY.saturating_mul(3653);
/// Browsers refuse server certificates that live for more than 398 days.
const LEAF_LIFE: Duration = DAY.saturating_mul(397);
/// A leaf that expires sooner than this is replaced at the start.
const LEAF_RENEWAL: Duration = DAY.saturating_mul(30);
/// Validity starts a little in the past, for clients whose clock is behind.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// No `*.localhost`: OpenSSL, rustls and browsers take a wildcard only above two labels, and rustls
/// refuses the whole certificate for it.
const LEAF_NAMES: [&str; 4] = ["localhost", "*.tidings.localhost", "127.0.0.1", "::1"];

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const LEAF: &str = "server.pem";
const LEAF_KEY: &str = "server-key.pem";

const CURE_CA: &str = "put the right file back, or delete ca.pem, ca-key.pem, server.pem and \
                       server-key.pem and start again (every tool must then trust the new ca.pem)";
const CURE_LEAF: &str = "delete server.pem and server-key.pem and start again to have them issued \
                         anew; a certificate of your own goes into the configuration instead";

/// A folder with the development CA and the certificate of this machine.
#[derive(Clone, Debug)]
pub struct DevCa {
    dir: PathBuf,
}

impl DevCa {
    /// Opens the CA in `dir`, or creates it there (folder 0700, keys 0600), and sees to it that
    /// the server certificate is valid for 30 more days at least. Blocks on file access.
    ///
    /// # Errors
    /// [`TlsError`] when a file is broken, does not belong to the others, or cannot be written.
    pub fn load_or_create(dir: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        created.map_err(|cause| unwritable(dir, &cause))?;
        let this = Self { dir: dir.to_owned() };
        let authority = if this.path(CA).exists() {
            this.open_authority(now)?
        } else {
            // A key without a certificate is left of a creation that was cut short. Nobody can
            // have trusted it.
            this.create_authority(now)?
        };
        if !this.leaf_is_current(&authority, now)? {
            this.issue_leaf(&authority, now)?;
        }
        Ok(this)
    }

    /// The certificate that tools have to trust.
    pub fn ca_path(&self) -> PathBuf {
        self.path(CA)
    }

    /// The certificate for localhost, *.tidings.localhost, 127.0.0.1 and ::1, with its key.
    pub fn certificate_files(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.path(LEAF), key: self.path(LEAF_KEY) }
    }

    fn open_authority(&self, now: Timestamp) -> Result<Authority, TlsError> {
        let (path, key_path) = (self.path(CA), self.path(CA_KEY));
        let chain = read_chain(&path).map_err(|error| error.with_cure(CURE_CA))?;
        let facts = Facts::of(&chain[0], &path).map_err(|error| error.with_cure(CURE_CA))?;
        let text = read(&key_path).map_err(|error| error.with_cure(CURE_CA))?;
        let key = std::str::from_utf8(&text).ok().and_then(|pem| KeyPair::from_pem(pem).ok());
        let key =
            key.ok_or_else(|| TlsError::new(&key_path, "not a private key in PEM", CURE_CA))?;
        if key.public_key_raw() != facts.public_key {
            return Err(TlsError::new(&key_path, "not the key of ca.pem", CURE_CA));
        }
        if facts.expires < now + LEAF_RENEWAL {
            return Err(TlsError::new(&path, "the CA has reached the end of its life", CURE_CA));
        }
        let certificate = chain.into_iter().next().expect("a chain that was read is not empty");
        Ok(Authority { certificate, facts, key })
    }

    fn create_authority(&self, now: Timestamp) -> Result<Authority, TlsError> {
        let path = self.path(CA);
        let made = make_authority(now);
        let (certificate, key) = made.map_err(|cause| TlsError::new(&path, cause, CURE_CA))?;
        // The certificate comes last: it is what says that the CA is there.
        write_atomically(&self.path(CA_KEY), &key.serialize_pem(), 0o600)?;
        write_atomically(&path, &certificate.pem(), 0o644)?;
        let facts = Facts::of(certificate.der(), &path)?;
        Ok(Authority { certificate: certificate.der().clone(), facts, key })
    }

    /// Whether the leaf can be served for a while. A leaf that is missing, cut off from its key or
    /// about to expire is simply not current; one that this CA never issued is somebody's own.
    fn leaf_is_current(&self, authority: &Authority, now: Timestamp) -> Result<bool, TlsError> {
        let files = self.certificate_files();
        if !files.certificate.exists() {
            return Ok(false);
        }
        let path = &files.certificate;
        let chain = read_chain(path).map_err(|error| error.with_cure(CURE_LEAF))?;
        let facts = Facts::of(&chain[0], path).map_err(|error| error.with_cure(CURE_LEAF))?;
        if facts.issuer != authority.facts.subject {
            return Err(TlsError::new(path, "not issued by the ca.pem beside it", CURE_LEAF));
        }
        if !files.key.exists() || facts.expires < now + LEAF_RENEWAL {
            return Ok(false);
        }
        let key = read_key(&files.key).map_err(|error| error.with_cure(CURE_LEAF))?;
        Ok(CertifiedKey::from_der(chain, key, &provider()).is_ok())
    }

    fn issue_leaf(&self, authority: &Authority, now: Timestamp) -> Result<(), TlsError> {
        let files = self.certificate_files();
        let issued = make_leaf(authority, now);
        let (certificate, key) =
            issued.map_err(|cause| TlsError::new(&files.certificate, cause, CURE_LEAF))?;
        write_atomically(&files.key, &key.serialize_pem(), 0o600)?;
        write_atomically(&files.certificate, &certificate.pem(), 0o644)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl TlsError {
    fn with_cure(mut self, cure: &str) -> Self {
        cure.clone_into(&mut self.cure);
        self
    }
}

struct Authority {
    certificate: CertificateDer<'static>,
    facts: Facts,
    key: KeyPair,
}

type Made = Result<(rcgen::Certificate, KeyPair), String>;

fn make_authority(now: Timestamp) -> Made {
    let key = new_key()?;
    let name = format!("Tidings development CA ({})", random_name());
    let mut params = params(Vec::new(), &name, now, CA_LIFE)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv4Addr::LOCALHOST.into(), 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                Ipv6Addr::LOCALHOST.into(),
                128,
            )),
        ],
        excluded_subtrees: Vec::new(),
    });
    let certificate = params.self_signed(&key).map_err(|cause| cause.to_string())?;
    Ok((certificate, key))
}

fn make_leaf(authority: &Authority, now: Timestamp) -> Made {
    let key = new_key()?;
    let names = LEAF_NAMES.map(str::to_owned).to_vec();
    let mut params = params(names, "localhost", now, LEAF_LIFE)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict verifiers (Python 3.13) insist on it.
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_der(&authority.certificate, &authority.key)
        .map_err(|cause| cause.to_string())?;
    let certificate = params.signed_by(&key, &issuer).map_err(|cause| cause.to_string())?;
    Ok((certificate, key))
}

fn params(
    names: Vec<String>,
    common_name: &str,
    now: Timestamp,
    life: Duration,
) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::new(names).map_err(|cause| cause.to_string())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = now.since(Timestamp::default());
    // Certificates count whole seconds.
    let now = epoch + Duration::from_secs(since_epoch.as_secs());
    params.not_before = now - CLOCK_TOLERANCE;
    params.not_after = now + life;
    Ok(params)
}

fn new_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|cause| cause.to_string())
}

/// Tells one machine's CA from another's in a list of trusted ones.
fn random_name() -> String {
    let mut bits = [0; 4];
    aws_lc_rs::rand::fill(&mut bits).expect("the system's random source works");
    format!("{:08x}", u32::from_be_bytes(bits))
}

/// Writes a file that is there whole or not at all, with `mode` from its first byte on.
fn write_atomically(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let draft = path.with_extension(format!("{}.tmp", random_name()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|cause| {
        // The draft may not exist, and its failure to go away is not the news.
        let _ignored = fs::remove_file(&draft);
        unwritable(path, &cause)
    })
}

fn unwritable(path: &Path, cause: &io::Error) -> TlsError {
    let cure = "make the folder writable for this user, or choose another data folder";
    TlsError::new(path, format!("cannot be written ({cause})"), cure)
}

#[cfg(test)]
#[path = "dev_ca/tests.rs"]
mod tests;
