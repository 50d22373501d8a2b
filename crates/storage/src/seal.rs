//! Secrets at rest: sealed with AES-256-GCM under one master key.
//!
//! A sealed blob is `version (1) ‖ key id (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The key id tells
//! "another key" from "damaged" and reveals nothing of the key. The caller's `place`, such as
//! `webpubsub/local/primary`, is authenticated with the blob, so one secret cannot be put in another's
//! place. The nonce is random: under one key, a number of blobs far below 2^32 is safe.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{ErrorKind, Secret};

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + ID_BYTES + NONCE_LEN;

/// The key that seals all others.
pub struct MasterKey {
    key: RandomizedNonceKey,
    id: [u8; ID_BYTES],
}

/// Why a key or a sealed blob cannot be used. None holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or made.
    #[error("cannot use the master key file {path}: {reason}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and how to cure it.
        reason: String,
    },
    /// The text is not a master key.
    #[error(
        "a master key is 32 random bytes as 43 characters of base64url without padding; \
         `openssl rand 32 | basenc --base64url | tr -d =` makes one"
    )]
    NotAKey,
    /// The blob was sealed with another master key.
    #[error(
        "the secret was sealed with the master key {sealed}, but {ours} is in use; \
         put back the key that belongs to this data folder"
    )]
    OtherKey {
        /// The id of the blob's key.
        sealed: String,
        /// The id of this key.
        ours: String,
    },
    /// The blob was changed, cut, or belongs in another place.
    #[error(
        "a sealed secret is damaged or was moved from another place; restore it from a backup or \
         generate a new one"
    )]
    Damaged,
    /// The blob is of a form that this program does not know.
    #[error("the sealed secret has the unknown form {0}; a newer program may have written it")]
    UnknownForm(u8),
}

impl From<SealError> for kernel::Error {
    fn from(error: SealError) -> Self {
        let message = "The server cannot read one of its stored secrets. The log has the reason.";
        Self::new(ErrorKind::Internal, "InternalServerError", message).context(error.to_string())
    }
}

impl MasterKey {
    /// Reads the key file, or makes one that only its owner can read. Two processes that start at once
    /// end up with the same key.
    ///
    /// # Errors
    /// [`SealError::KeyFile`], also when others than the owner may read the file.
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        let key_file = |reason: String| SealError::KeyFile { path: path.to_owned(), reason };
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => create_key_file(path).map_err(|e| key_file(e.to_string()))?,
            Err(error) => return Err(key_file(error.to_string())),
        }
        if is_open_to_others(path).map_err(|e| key_file(e.to_string()))? {
            let cure = format!("others may read it; run `chmod 600 {}`", path.display());
            return Err(key_file(cure));
        }
        let text = fs::read_to_string(path).map_err(|e| key_file(e.to_string()))?;
        Self::from_text(&Secret::new(text)).map_err(|e| key_file(e.to_string()))
    }

    /// A key from a configured text, such as an environment variable; white space around it is dropped.
    ///
    /// # Errors
    /// [`SealError::NotAKey`].
    pub fn from_text(text: &Secret) -> Result<Self, SealError> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose().trim()).ok();
        let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| Self::from_bytes(&bytes)).ok_or(SealError::NotAKey)
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(b"tidings master key id\0");
        hash.update(bytes);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash.finish().as_ref()[..ID_BYTES]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the key has 32 bytes");
        Self { key, id }
    }

    /// Seals a secret for `place`.
    pub fn seal(&self, secret: &[u8], place: &str) -> Vec<u8> {
        let mut body = secret.to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(place), &mut body);
        let nonce = nonce.expect("a secret is shorter than 64 GiB");
        let mut sealed = Vec::with_capacity(HEAD_BYTES + body.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Opens what [`MasterKey::seal`] made for the same `place`.
    ///
    /// # Errors
    /// [`SealError::OtherKey`], [`SealError::Damaged`] or [`SealError::UnknownForm`].
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Vec<u8>, SealError> {
        match sealed.first() {
            Some(&VERSION) => {}
            Some(&form) => return Err(SealError::UnknownForm(form)),
            None => return Err(SealError::Damaged),
        }
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Damaged)?;
        let (id, nonce) = head[1..].split_at(ID_BYTES);
        if id != self.id {
            return Err(SealError::OtherKey { sealed: hex(id), ours: hex(&self.id) });
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut body = body.to_vec();
        let secret = self.key.open_in_place(nonce, Aad::from(place), &mut body);
        Ok(secret.map_err(|_| SealError::Damaged)?.to_vec())
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "MasterKey({})", hex(&self.id))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the key whole under another name, then links it to its own: the link fails when another
/// process was faster, and a crash leaves no half-written key.
fn create_key_file(path: &Path) -> io::Result<()> {
    let mut random = [0_u8; KEY_BYTES + 8];
    aws_lc_rs::rand::fill(&mut random).expect("the system's random source answers");
    let (key, suffix) = random.split_at(KEY_BYTES);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", hex(suffix)));
    let draft = PathBuf::from(draft);

    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file
        .write_all(format!("{}\n", URL_SAFE_NO_PAD.encode(key)).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    fs::remove_file(&draft)?;
    written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: &str = "webpubsub/local/primary";

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes(&[byte; KEY_BYTES])
    }

    #[test]
    fn a_sealed_secret_does_not_show_and_differs_each_time() {
        let (one, two) = (key(1).seal(b"hunter2", PLACE), key(1).seal(b"hunter2", PLACE));
        assert_ne!(one, two);
        assert!(!one.windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn errors_tell_another_key_from_damage_and_from_a_newer_form() {
        let mut sealed = key(1).seal(b"hunter2", PLACE);
        assert!(matches!(key(2).open(&sealed, PLACE), Err(SealError::OtherKey { .. })));
        assert_eq!(key(1).open(&sealed, "another place"), Err(SealError::Damaged));
        assert_eq!(key(1).open(&sealed[..9], PLACE), Err(SealError::Damaged));
        assert_eq!(key(1).open(&[], PLACE), Err(SealError::Damaged));
        sealed[0] = 9;
        assert_eq!(key(1).open(&sealed, PLACE), Err(SealError::UnknownForm(9)));
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let sealed = MasterKey::load_or_create(&path).unwrap().seal(b"hunter2", PLACE);
        let again = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(again.open(&sealed, PLACE).unwrap(), b"hunter2");
        assert!(!is_open_to_others(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn processes_that_start_at_once_agree_on_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let ids = std::thread::scope(|scope| {
            let load = || MasterKey::load_or_create(&path).unwrap().id;
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_the_cure() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = MasterKey::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_key_file_says_what_a_key_looks_like_and_shows_nothing() {
        let text = "c2VjcmV0LXRleHQ";
        let error = MasterKey::from_text(&Secret::new(text)).unwrap_err();
        assert_eq!(error, SealError::NotAKey);
        assert!(!error.to_string().contains(text));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(secret: Vec<u8>, place in ".*") {
            let sealed = key(1).seal(&secret, &place);
            prop_assert_eq!(key(1).open(&sealed, &place), Ok(secret));
        }

        #[test]
        fn any_changed_byte_is_noticed(position in any::<prop::sample::Index>(), change in 1_u8..) {
            let mut sealed = key(1).seal(b"hunter2", PLACE);
            let position = position.index(sealed.len());
            sealed[position] ^= change;
            prop_assert!(key(1).open(&sealed, PLACE).is_err());
        }

        #[test]
        fn arbitrary_blobs_never_panic(blob: Vec<u8>, cut in 0_usize..40) {
            prop_assert!(key(1).open(&blob, PLACE).is_err());
            let sealed = key(1).seal(b"hunter2", PLACE);
            prop_assert!(key(1).open(&sealed[..cut.min(sealed.len() - 1)], PLACE).is_err());
        }
    }
}
