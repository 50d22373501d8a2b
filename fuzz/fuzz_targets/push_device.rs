//! Arbitrary bytes as a registration, an installation and a patch: no panic, a refusal is one line,
//! and an installation that is accepted reads itself back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notificationhubs::entry::read_registration;
use notificationhubs::installation::{Installation, Patch};

fuzz_target!(|body: &[u8]| {
    if let Err(error) = read_registration(body) {
        assert!(!error.message().contains(char::is_control), "{error:?}");
    }
    if let Ok(installation) = Installation::parse(body, "i") {
        let json = installation.to_json();
        assert_eq!(Installation::parse(json.as_bytes(), "i").ok(), Some(installation));
    }
    if let Ok(patch) = Patch::parse(body) {
        let device = br#"{"platform":"fcmv1","pushChannel":"f","templates":{"T":{"body":"{}"}}}"#;
        let device = Installation::parse(device, "i").expect("a good installation");
        let _ = device.patched(&patch);
    }
});
