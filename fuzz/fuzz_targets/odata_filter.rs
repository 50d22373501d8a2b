//! Arbitrary text as a filter: no panic, a refusal blames the parameter on one line, and what is
//! accepted answers for every connection, its negation the other way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webpubsub::filter::{Filter, MAX_BYTES, MAX_DEPTH, Subject};

struct Connection(Option<&'static str>);

impl Subject for Connection {
    fn user_id(&self) -> Option<&str> {
        self.0
    }

    fn connection_id(&self) -> &str {
        "connection"
    }

    fn protocol(&self) -> Option<&str> {
        self.0
    }

    fn in_group(&self, group: &str) -> bool {
        self.0 == Some(group)
    }

    fn group_count(&self) -> usize {
        self.0.map_or(0, str::len)
    }
}

fuzz_target!(|text: &str| {
    match Filter::parse(text) {
        Ok(filter) => {
            let negation = Filter::parse(&format!("not({text})"));
            for connection in [Connection(None), Connection(Some("")), Connection(Some("aé😀B "))]
            {
                let matches = filter.matches(&connection);
                match &negation {
                    Ok(negation) => assert_ne!(negation.matches(&connection), matches),
                    // The two levels or five bytes more were too many.
                    Err(_) => assert!(text.len() + 5 > MAX_BYTES || text.len() >= MAX_DEPTH),
                }
            }
        }
        Err(error) => {
            assert_eq!(error.target_name(), Some("filter"));
            assert!(!error.message().contains(char::is_control), "{error:?}");
        }
    }
});
