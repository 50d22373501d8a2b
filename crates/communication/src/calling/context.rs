//! The `incomingCallContext`: whoever has it may answer, reject or redirect one ringing.
//!
//! It looks like the real one, a token without a signature: applications that look into it find in its
//! middle the field `cc`. What makes it good is a random number that is kept with the ringing itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The call and the secret of its ringing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) call: String,
    pub(crate) secret: String,
}

impl Context {
    pub(crate) fn cc(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.call, self.secret))
    }

    pub(crate) fn encode(&self) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({ "alg": "none" })), part(json!({ "cc": self.cc() })))
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let middle = text.split('.').nth(1)?;
        let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).ok()?).ok()?;
        let inner = URL_SAFE_NO_PAD.decode(payload["cc"].as_str()?).ok()?;
        let inner = String::from_utf8(inner).ok()?;
        let (call, secret) = inner.split_once('.')?;
        Some(Self { call: call.to_owned(), secret: secret.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_back_and_begins_like_the_real_one() {
        let context = Context { call: "c".to_owned(), secret: "s".to_owned() };
        let text = context.encode();
        assert!(text.starts_with("eyJhbGciOiJub25l"), "{text}");
        assert_eq!(Context::decode(&text), Some(context));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-zA-Z0-9._-]{0,80}") {
            let _ = Context::decode(&text);
        }
    }
}
