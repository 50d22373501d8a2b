//! Arbitrary text in place of a connection string: no panic, and what is read can be built again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::ConnectionString;

fuzz_target!(|text: &str| {
    if let Ok(connection) = ConnectionString::parse(text) {
        let built = connection.build();
        assert_eq!(ConnectionString::parse(built.expose()), Ok(connection));
    }
});
