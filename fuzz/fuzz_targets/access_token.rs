//! Arbitrary text in place of an access token: refused without a panic, in one printable line.
//!
//! Text that begins with `{` is signed first, so that what lies behind the signature is reached.
#![no_main]

use std::sync::LazyLock;

use auth::{AccessKeys, Endpoints, Expected, Purpose, verify};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Secret, Timestamp};
use libfuzzer_sys::fuzz_target;
use wire::Endpoint;

const KEY: &str = "fuzzing-needs-a-key-that-stays-the-same";
const NOW: Timestamp = Timestamp::from_secs(1_760_000_000);

static KEYS: LazyLock<AccessKeys> = LazyLock::new(|| {
    AccessKeys::new(Secret::new(KEY), Secret::new(KEY)).expect("the key is long enough")
});
static ENDPOINTS: LazyLock<Endpoints> = LazyLock::new(|| {
    let parse = |text| Endpoint::parse(text).expect("the address is well formed");
    Endpoints::new(["http://localhost:8080", "https://push.example.com/base"].map(parse))
});

fuzz_target!(|text: &str| {
    let is_payload = text.starts_with('{');
    let token = if is_payload { signed(text) } else { text.to_owned() };
    let rest = Purpose::Rest { path_and_query: "/api/hubs/chat/:send?api-version=2024-12-01" };
    for purpose in [Purpose::Client { hub: "chat" }, rest] {
        let expected = Expected { resource: "local", endpoints: &ENDPOINTS, purpose };
        match verify(&token, &KEYS, &expected, NOW) {
            Ok(claims) => assert!(is_payload, "nobody signed this: {claims:?}"),
            Err(refusal) => {
                let message = refusal.to_string();
                assert!(!message.contains(char::is_control), "{message:?}");
            }
        }
    }
});

fn signed(payload: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(payload.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes()).as_ref()))
}
