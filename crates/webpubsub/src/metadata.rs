//! Key-value pairs that travel with a message.
//!
//! Source: the metadata rules of the public emulator; the feature is a preview of the service.

use std::collections::BTreeMap;
use std::fmt;

/// The longest key and value, and the most of both together, in bytes.
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 1024;
const MAX_TOTAL: usize = 8 * 1024;

/// The metadata of a message; keys in lower case, since they are header names on some roads.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    pairs: BTreeMap<Box<str>, Box<str>>,
    /// Keys and values together.
    bytes: usize,
}

impl Metadata {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Adds a pair, replacing an earlier one of the same key.
    ///
    /// # Errors
    /// The rule that the pair breaks.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(token) {
            return Err("a metadata key is 1 to 256 letters, digits or header-name signs");
        }
        if value.len() > MAX_VALUE {
            return Err("a metadata value has at most 1024 bytes");
        }
        let replaced = self.pairs.insert(key.to_ascii_lowercase().into(), value.into());
        let gone = replaced.map_or(0, |value| key.len() + value.len());
        self.bytes = self.bytes + key.len() + value.len() - gone;
        if self.bytes > MAX_TOTAL { Err("metadata has at most 8 KiB") } else { Ok(()) }
    }

    /// Whether a key is there already, ignoring case.
    pub fn contains(&self, key: &str) -> bool {
        self.pairs.contains_key(&*key.to_ascii_lowercase())
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_and_replace() {
        let mut metadata = Metadata::default();
        metadata.insert("Trace-Id", "1").unwrap();
        metadata.insert("trace-id", "2").unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("trace-id", "2")]);
        assert!(metadata.contains("TRACE-ID"));
    }

    #[test]
    fn both_sides_of_every_limit() {
        let insert = |key: &str, value: &str| Metadata::default().insert(key, value);
        assert!(insert(&"k".repeat(256), &"v".repeat(1024)).is_ok());
        assert!(insert(&"k".repeat(257), "").is_err());
        assert!(insert("k", &"v".repeat(1025)).is_err());
        assert!(insert("", "").is_err() && insert("a b", "").is_err() && insert("ä", "").is_err());
        let mut full = Metadata::default();
        for index in 0..8 {
            full.insert(&format!("{index:0>24}"), &"v".repeat(1000)).unwrap();
        }
        assert!(full.insert("one-more", "").is_err(), "8 KiB are full");
    }
}
