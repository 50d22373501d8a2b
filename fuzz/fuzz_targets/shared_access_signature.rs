//! Arbitrary text in place of a shared access signature: refused without a panic, in one printable
//! line.
//!
//! Text that begins with `r=` is signed first, so that what lies behind the signature is reached.
#![no_main]

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventgrid::credential::{Credential, Expected};
use kernel::{Secret, Timestamp};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

fuzz_target!(|text: &str| {
    let is_signed = text.starts_with("r=");
    let token = if is_signed { signed(text) } else { text.to_owned() };
    let key = Secret::new(KEY);
    let expected =
        Expected { topic: "t", keys: [&key, &key], path: "/t/api/events", endpoints: None };
    match Credential::Signature(&token).check(&expected, Timestamp::from_secs(1_760_000_000)) {
        Ok(()) => assert!(is_signed, "nobody signed this"),
        Err(refusal) => {
            assert!(!refusal.to_string().contains(char::is_control), "{refusal:?}");
        }
    }
});

fn signed(text: &str) -> String {
    let key = STANDARD.decode(KEY).expect("the key is base64");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    format!("{text}&s={}", STANDARD.encode(tag))
}
