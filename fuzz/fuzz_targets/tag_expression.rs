//! Arbitrary text as a tag expression: no panic, a refusal is one line, and what is accepted prints
//! itself, and its negation answers the other way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notificationhubs::tag::{TagExpression, TagSet};

fuzz_target!(|text: &str| {
    match TagExpression::parse(text) {
        Ok(expression) => {
            let printed = expression.to_string();
            assert_eq!(TagExpression::parse(&printed).ok().as_ref(), Some(&expression));
            // With the negation an expression of || alone may have too many tags.
            let Ok(negation) = TagExpression::parse(&format!("!({printed})")) else { return };
            let every_other = expression.tags().into_iter().step_by(2).cloned().collect();
            for tags in [TagSet::default(), every_other] {
                assert_ne!(expression.matches(&tags), negation.matches(&tags), "{printed}");
            }
        }
        Err(error) => assert!(!error.message().contains(char::is_control), "{error:?}"),
    }
});
