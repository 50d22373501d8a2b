//! What lets a client on to the next step: the signature of an allocation, and the name of a session.
//!
//! A browser opens a WebSocket without any header, so the name of the session (`sid`) is the only
//! credential there. It is no key into a table: it says by itself whose session it is and how long it
//! may be opened, sealed with a MAC. Allocations are signed alike. Both use the access keys of the
//! resource, so they hold on every node and after a restart, and end when the keys are replaced.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identifier::RawId;
use crate::resource::Resource;

const MAC_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;

/// A client, as its next step is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Whose token was shown.
    pub(super) user: RawId,
    /// The client's own name for itself (`epid`): one chat client in one tab of a browser.
    pub(super) device: String,
    /// When the ticket was given.
    pub(super) issued: Timestamp,
    /// When the token ends, and so the connection.
    pub(super) token_expires: Timestamp,
    /// Of the token: a later revocation ends the connection.
    pub(super) generation: i64,
}

#[derive(Deserialize, Serialize)]
struct Sealed<'a> {
    user: &'a str,
    device: &'a str,
    issued: i64,
    expires: i64,
    generation: i64,
}

impl Ticket {
    /// The session's name: URL-safe base64 that nobody can guess or change.
    pub(super) fn seal(&self, resource: &Resource) -> String {
        let sealed = Sealed {
            user: self.user.as_str(),
            device: &self.device,
            issued: self.issued.as_micros(),
            expires: self.token_expires.as_secs(),
            generation: self.generation,
        };
        let mut payload = nonce().to_vec();
        payload.extend(serde_json::to_vec(&sealed).expect("text and numbers are JSON"));
        let mut bytes =
            mac(resource.keys.current().primary(), "session", &payload).as_ref().to_vec();
        bytes.extend(payload);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Opens a session's name; `None` when it was not sealed for this resource.
    pub(super) fn open(sid: &str, resource: &Resource) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(sid).ok()?;
        let (seal, payload) = bytes.split_at_checked(MAC_BYTES)?;
        if !verified(resource, "session", payload, seal) {
            return None;
        }
        let sealed: Sealed<'_> = serde_json::from_slice(payload.get(NONCE_BYTES..)?).ok()?;
        Some(Self {
            user: RawId::new(sealed.user),
            device: sealed.device.to_owned(),
            issued: Timestamp::from_micros(sealed.issued),
            token_expires: Timestamp::from_secs(sealed.expires),
            generation: sealed.generation,
        })
    }
}

/// What a client was allocated, as it sends it back (`connectparams`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allocation {
    /// Its name (`sr`).
    pub(super) name: String,
    /// When it ends (`se`), in milliseconds since 1970.
    pub(super) expires_ms: i64,
}

impl Allocation {
    /// A new one.
    pub(super) fn new(expires_ms: i64) -> Self {
        let name = URL_SAFE_NO_PAD.encode(&nonce()[..9]);
        Self { name, expires_ms }
    }

    /// The signature (`sig`) that binds it to a user.
    pub(super) fn sign(&self, user: &RawId, resource: &Resource) -> String {
        let keys = resource.keys.current();
        URL_SAFE_NO_PAD.encode(mac(keys.primary(), "allocation", &self.text(user)))
    }

    /// Whether a signature is ours, for this user.
    pub(super) fn is_signed(&self, user: &RawId, resource: &Resource, signature: &str) -> bool {
        let seal = URL_SAFE_NO_PAD.decode(signature);
        seal.is_ok_and(|seal| verified(resource, "allocation", &self.text(user), &seal))
    }

    fn text(&self, user: &RawId) -> Vec<u8> {
        format!("{}\n{}\n{user}", self.name, self.expires_ms).into_bytes()
    }
}

fn nonce() -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    SystemRandom::new().fill(&mut nonce).expect("the system's random source answers");
    nonce
}

fn mac(key: &Secret, purpose: &str, message: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&key_of(key));
    context.update(purpose_line(purpose).as_bytes());
    context.update(message);
    context.sign()
}

fn verified(resource: &Resource, purpose: &str, message: &[u8], seal: &[u8]) -> bool {
    let keys = resource.keys.current();
    let mut text = purpose_line(purpose).into_bytes();
    text.extend_from_slice(message);
    [keys.primary(), keys.secondary()]
        .into_iter()
        .any(|key| hmac::verify(&key_of(key), &text, seal).is_ok())
}

/// Keeps apart what the same key signs.
fn purpose_line(purpose: &str) -> String {
    format!("tidings signaling {purpose}\n")
}

fn key_of(key: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signaling::sample;

    fn ticket() -> Ticket {
        Ticket {
            user: RawId::new(sample::BOB),
            device: "b3c3".to_owned(),
            issued: Timestamp::from_secs(1_767_366_245),
            token_expires: Timestamp::from_secs(1_767_369_845),
            generation: 2,
        }
    }

    #[test]
    fn a_session_name_opens_where_it_was_sealed_and_no_two_are_alike() {
        let (resource, other) = (sample::resource("one"), sample::resource("two"));
        let sid = ticket().seal(&resource);
        assert_eq!(Ticket::open(&sid, &resource), Some(ticket()));
        assert_eq!(Ticket::open(&sid, &other), None);
        assert_ne!(ticket().seal(&resource), sid);
        assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{sid}");
    }

    #[test]
    fn a_changed_name_does_not_open() {
        let resource = sample::resource("one");
        let sid = ticket().seal(&resource);
        for at in 0..sid.len() {
            let mut bytes = sid.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let opened = Ticket::open(&changed, &resource);
            // The last character may hold bits that mean nothing.
            assert!(opened.is_none() || at == sid.len() - 1, "at {at}");
        }
    }

    #[test]
    fn an_allocation_belongs_to_its_user() {
        let (resource, user) = (sample::resource("one"), RawId::new(sample::BOB));
        let allocation = Allocation::new(1_767_366_245_000);
        let signature = allocation.sign(&user, &resource);
        assert!(!signature.contains('='));
        assert!(allocation.is_signed(&user, &resource, &signature));
        assert!(!allocation.is_signed(&RawId::new(sample::ALICE), &resource, &signature));
        let later = Allocation { expires_ms: allocation.expires_ms + 1, ..allocation };
        assert!(!later.is_signed(&user, &resource, &signature));
    }

    proptest! {
        #[test]
        fn arbitrary_names_never_panic(sid in ".*") {
            prop_assert_eq!(Ticket::open(&sid, &sample::resource("one")), None);
        }
    }
}
