//! What the token of a request says about itself, read without looking at its signature: it tells who
//! called, and of a refused call the evidence for the reason. Never decides anything.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Where chat's real-time notifications carry their token.
const SKYPE_TOKEN: &str = "x-skypetoken";
/// The parameter in which browsers bring the token of a WebSocket.
const PARAMETER: &str = "access_token=";
/// A longer token is not read: its sender chooses the length.
const MAX_TOKEN: usize = 16 * 1024;
/// The end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// A longer claim is cut.
const MAX_TEXT: usize = 200;

/// Where a request may have a token. Cheap to keep: headers and URIs share their bytes.
pub(super) struct Bearer {
    headers: [Option<HeaderValue>; 2],
    uri: Uri,
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    /// The user of a chat token, without the leading `8:`.
    skypeid: Option<String>,
    #[serde(rename = "acsScope")]
    scopes: Option<String>,
    #[serde(rename = "resourceId")]
    resource: Option<String>,
    /// The user of a Web PubSub token.
    sub: Option<String>,
    aud: Option<Value>,
    role: Option<Value>,
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Bearer {
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let header = |name: &str| headers.get(name).cloned();
        Self { headers: [header(SKYPE_TOKEN), header(AUTHORIZATION.as_str())], uri: uri.clone() }
    }

    /// What the token says; `None` without one that can be read.
    pub(super) fn claims(&self) -> Option<Claims> {
        let header = self.headers.iter().flatten().find_map(|it| it.to_str().ok());
        let query = || {
            let parts = self.uri.query().unwrap_or_default().split('&');
            parts.into_iter().find_map(|part| part.strip_prefix(PARAMETER))
        };
        let token = header.map(|it| it.rsplit(' ').next().unwrap_or_default()).or_else(query)?;
        if token.len() > MAX_TOKEN {
            return None;
        }
        let payload = token.split('.').nth(1)?.trim_end_matches('=');
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

impl Claims {
    /// Who the token is for.
    pub(super) fn user(&self) -> String {
        let chat = self.skypeid.as_ref().map(|id| format!("8:{id}"));
        cut(&chat.or_else(|| self.sub.clone()).unwrap_or_default())
    }

    /// A sentence for the operator.
    pub(super) fn tell(&self) -> String {
        let moment =
            |secs: i64| eventgrid::time_text(Timestamp::from_secs(secs.clamp(0, LAST_SECOND)));
        let value = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let user = Some(self.user()).filter(|user| !user.is_empty());
        let parts = [
            ("user", user),
            ("scopes", self.scopes.clone()),
            ("roles", self.role.as_ref().map(value)),
            ("audience", self.aud.as_ref().map(value)),
            ("resource", self.resource.clone()),
            ("issued", self.iat.map(moment)),
            ("not before", self.nbf.map(moment)),
            ("expires", self.exp.map(moment)),
        ];
        let said = parts.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let said: Vec<String> = said.map(|(name, text)| format!("{name}={}", cut(&text))).collect();
        format!("The token says: {}.", said.join(", "))
    }
}

/// A bounded text without control characters.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn bearer(headers: &[(&'static str, String)], uri: &str) -> Bearer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Bearer::of(&map, &uri.parse().unwrap())
    }

    #[test]
    fn a_token_is_read_wherever_it_stands() {
        let chat =
            token(&json!({ "skypeid": "acs:r_u", "acsScope": "chat", "exp": 1_800_000_000 }));
        let hub = token(&json!({ "sub": "ann", "aud": "http://h/client/hubs/c", "role": ["a"] }));
        let read = bearer(&[("authorization", format!("Bearer {chat}"))], "/chat/threads");
        let claims = read.claims().unwrap();
        assert_eq!(claims.user(), "8:acs:r_u");
        let told = claims.tell();
        assert!(told.contains("scopes=chat, expires=2027-01-15T08:00:00"), "{told}");
        let read = bearer(&[(SKYPE_TOKEN, chat)], "/v4/a");
        assert_eq!(read.claims(), Some(claims));
        let read = bearer(&[], &format!("/client/hubs/c?x=1&access_token={hub}"));
        let told = read.claims().unwrap().tell();
        let expected = r#"The token says: user=ann, roles=["a"], audience=http://h/client/hubs/c."#;
        assert_eq!(told, expected);
        assert_eq!(bearer(&[], "/").claims(), None);
        assert_eq!(bearer(&[("authorization", "HMAC-SHA256 a=b".to_owned())], "/").claims(), None);
    }

    proptest! {
        #[test]
        fn arbitrary_tokens_never_panic(text in "[!-~ ]{0,200}", user in ".*") {
            let _ = bearer(&[("authorization", text)], "/").claims();
            let read = bearer(&[(SKYPE_TOKEN, token(&json!({ "sub": user })))], "/");
            prop_assert!(read.claims().unwrap().tell().chars().all(|c| !c.is_control()));
        }
    }
}
