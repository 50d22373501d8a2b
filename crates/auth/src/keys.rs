//! The two access keys of a resource: making, checking, holding and replacing them.
//!
//! A key is text and signs as its UTF-8 bytes; it is never base64-decoded. Two keys exist so that
//! one can be replaced while applications still use the other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kernel::Secret;

/// A key below this length is refused: HMAC-SHA-256 is as strong as its 32-byte output at most.
const MIN_KEY_BYTES: usize = 32;

/// 62^48 > 2^285 possible keys, well above the 2^256 that the signature can make use of.
const GENERATED_LENGTH: usize = 48;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Keys printed in public documentation: fine on loopback, worthless anywhere else.
const WELL_KNOWN: &[&str] = &["ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"];

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySlot {
    /// The one in the connection string that is shown first.
    Primary,
    /// The spare one, in use while the primary is replaced.
    Secondary,
}

/// The keys of a resource. Both have passed [`check_key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeys {
    primary: Secret,
    secondary: Secret,
}

/// Why a text cannot be an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Too easy to guess.
    #[error(
        "the access key has {found} bytes, at least {MIN_KEY_BYTES} are needed; \
         let Tidings generate one, or use `openssl rand -hex 32`"
    )]
    TooShort {
        /// Its length in UTF-8 bytes.
        found: usize,
    },
    /// A character that a connection string or header cannot carry.
    #[error(
        "the access key holds {0}; a key has no white space, semicolon or control character \
         (a file's last line break is a common cause)"
    )]
    Character(&'static str),
}

/// Checks a key that a person chose.
///
/// # Errors
/// Says what is wrong with it, without showing it.
pub fn check_key(key: &str) -> Result<(), KeyProblem> {
    let forbidden = key.chars().find_map(|c| match c {
        ';' => Some("a semicolon"),
        c if c.is_whitespace() => Some("white space"),
        c if c.is_control() => Some("a control character"),
        _ => None,
    });
    match forbidden {
        Some(what) => Err(KeyProblem::Character(what)),
        None if key.len() < MIN_KEY_BYTES => Err(KeyProblem::TooShort { found: key.len() }),
        None => Ok(()),
    }
}

/// Whether the key is printed in public documentation, so that everyone knows it.
pub fn is_well_known(key: &Secret) -> bool {
    WELL_KNOWN.contains(&key.expose())
}

/// A new random key of letters and digits.
pub fn generate_key() -> Secret {
    let mut key = String::with_capacity(GENERATED_LENGTH);
    while key.len() < GENERATED_LENGTH {
        let mut bytes = [0_u8; 64];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source answers");
        // 248 = 4 · 62: dropping what lies above leaves every letter equally likely.
        let letters = bytes.iter().filter(|byte| **byte < 248);
        let letters = letters.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        key.extend(letters.take(GENERATED_LENGTH - key.len()));
    }
    Secret::new(key)
}

impl AccessKeys {
    /// Takes two chosen keys.
    ///
    /// # Errors
    /// The first problem of either key.
    pub fn new(primary: Secret, secondary: Secret) -> Result<Self, KeyProblem> {
        check_key(primary.expose())?;
        check_key(secondary.expose())?;
        Ok(Self { primary, secondary })
    }

    /// Two new random keys.
    pub fn generate() -> Self {
        Self { primary: generate_key(), secondary: generate_key() }
    }

    /// The primary key.
    pub fn primary(&self) -> &Secret {
        &self.primary
    }

    /// The secondary key.
    pub fn secondary(&self) -> &Secret {
        &self.secondary
    }

    /// The key in `slot`.
    pub fn get(&self, slot: KeySlot) -> &Secret {
        match slot {
            KeySlot::Primary => &self.primary,
            KeySlot::Secondary => &self.secondary,
        }
    }

    /// The same keys with a new random one in `slot`.
    #[must_use]
    pub fn rotated(&self, slot: KeySlot) -> Self {
        let mut keys = self.clone();
        match slot {
            KeySlot::Primary => keys.primary = generate_key(),
            KeySlot::Secondary => keys.secondary = generate_key(),
        }
        keys
    }
}

/// The current keys of a resource, shared by everything that verifies and replaced at a rotation.
/// Reading takes no lock.
#[derive(Debug)]
pub struct KeyRing(ArcSwap<AccessKeys>);

impl KeyRing {
    /// Starts with `keys`.
    pub fn new(keys: AccessKeys) -> Self {
        Self(ArcSwap::from_pointee(keys))
    }

    /// The keys that hold now.
    pub fn current(&self) -> Arc<AccessKeys> {
        self.0.load_full()
    }

    /// Makes `keys` the ones that hold from now on.
    pub fn replace(&self, keys: AccessKeys) {
        self.0.store(Arc::new(keys));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_good_and_differ() {
        let keys = AccessKeys::generate();
        for key in [keys.primary(), keys.secondary()] {
            assert_eq!(key.expose().len(), GENERATED_LENGTH);
            assert!(key.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
            assert_eq!(check_key(key.expose()), Ok(()));
            assert!(!is_well_known(key));
        }
        assert_ne!(keys.primary(), keys.secondary());
    }

    #[test]
    fn chosen_keys_are_checked() {
        let long = "0123456789abcdef0123456789abcdef";
        assert_eq!(check_key(long), Ok(()));
        assert_eq!(check_key(&"é".repeat(16)), Ok(()), "32 bytes of UTF-8 are enough");
        assert_eq!(check_key(&long[1..]), Err(KeyProblem::TooShort { found: 31 }));
        for (end, what) in
            [(";", "a semicolon"), ("\n", "white space"), ("\u{7}", "a control character")]
        {
            let key = format!("{long}{end}");
            assert_eq!(check_key(&key), Err(KeyProblem::Character(what)));
            assert!(AccessKeys::new(Secret::new(long), Secret::new(key)).is_err());
        }
    }

    #[test]
    fn a_problem_never_shows_the_key() {
        let problem = check_key("tooshort").unwrap_err().to_string();
        assert!(!problem.contains("tooshort"), "{problem}");
    }

    #[test]
    fn rotation_replaces_one_key_and_keeps_the_other() {
        let ring = KeyRing::new(AccessKeys::generate());
        let before = ring.current();
        ring.replace(before.rotated(KeySlot::Primary));
        let after = ring.current();
        assert_ne!(before.get(KeySlot::Primary), after.get(KeySlot::Primary));
        assert_eq!(before.get(KeySlot::Secondary), after.get(KeySlot::Secondary));
    }

    #[test]
    fn the_documented_emulator_key_is_well_known() {
        let key = Secret::new("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
        assert_eq!(check_key(key.expose()), Ok(()));
        assert!(is_well_known(&key));
    }
}
