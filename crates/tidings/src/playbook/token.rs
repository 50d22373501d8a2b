//! A token: what it says, and why this server refuses it.
//!
//! What it claims is read whether its signature holds or not: whoever asks has it in hand.

use ::communication::identity::TokenRefusal;
use ::communication::standing;
use ::monitor::playbook::{Found, Question, Refusal, RefusalKind, Token};
use auth::{Expected, Purpose, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Timestamp;
use serde_json::{Map, Value};

use super::{Installation, unknown};
use crate::wiring::Wired;

type Claims = Map<String, Value>;

/// What stands before the hub in the audience of a client's token.
const CLIENT_PATH: &str = "/client/hubs/";

impl Installation {
    /// The token of the question, if it has one.
    pub(super) async fn decoded(&self, question: &Question) -> Found<Option<Token>> {
        let Some(text) = question.token.as_ref().map(|it| bare(it.expose())) else {
            return Ok(None);
        };
        let Some(mut token) = decode(text) else {
            return Ok(Some(Token { refusal: Some(no_token()), ..Token::default() }));
        };
        token.refusal = match token.opens {
            Token::CHAT => self.refused_by_chat(text).await?,
            Token::HUB => self.refused_by_hubs(text, &token, question),
            _ => Some(no_token()),
        };
        Ok(Some(token))
    }

    async fn refused_by_chat(&self, token: &str) -> Found<Option<Refusal>> {
        let service = &self.communication.service;
        let mut last = None;
        for resource in service.resources().iter() {
            let found = standing::refusal(service.identities(), resource, token).await;
            match found.map_err(|error| unknown(&error))? {
                None => return Ok(None),
                Some(refusal) => last = Some(refusal),
            }
        }
        Ok(last.map(|refusal| Refusal { kind: kind_of_chat(refusal), text: words(refusal) }))
    }

    /// The best of what the resources say: one that knows the key knows more.
    fn refused_by_hubs(&self, text: &str, token: &Token, question: &Question) -> Option<Refusal> {
        let hub = question.hub.as_deref().or(token.hub.as_deref());
        let path = token.audience.iter().find_map(|it| path_of(it)).unwrap_or_default();
        let purpose = match hub {
            Some(hub) => Purpose::Client { hub },
            None => Purpose::Rest { path_and_query: &path },
        };
        let now = self.clock.now();
        let mut found: Option<Refusal> = None;
        for resource in &self.resources {
            let refusal = refused_by(resource, text, purpose, now)?;
            let knows_more = refusal.kind != RefusalKind::KeyReplaced;
            if found.is_none() || knows_more {
                found = Some(refusal);
            }
        }
        found
    }
}

fn refused_by(
    resource: &Wired,
    token: &str,
    purpose: Purpose<'_>,
    now: Timestamp,
) -> Option<Refusal> {
    let service = resource.service();
    let expected = Expected { resource: &service.name, endpoints: &service.endpoints, purpose };
    let refusal = verify(token, &service.keys.current(), &expected, now).err()?;
    Some(Refusal { kind: kind_of_hub(&refusal), text: refusal.to_string() })
}

fn words(refusal: TokenRefusal) -> String {
    match refusal {
        // Its claim tells when.
        TokenRefusal::Expired(_) => "the token has expired; issue a new one".to_owned(),
        other => other.to_string(),
    }
}

fn kind_of_chat(refusal: TokenRefusal) -> RefusalKind {
    match refusal {
        TokenRefusal::Expired(_) => RefusalKind::Expired,
        TokenRefusal::OtherResource | TokenRefusal::UnknownKey => RefusalKind::Elsewhere,
        TokenRefusal::Revoked | TokenRefusal::IdentityDeleted => RefusalKind::Revoked,
        TokenRefusal::KeyReplaced => RefusalKind::KeyReplaced,
        TokenRefusal::Absent | TokenRefusal::Malformed | TokenRefusal::Signature => {
            RefusalKind::Malformed
        }
    }
}

fn kind_of_hub(refusal: &auth::Refusal) -> RefusalKind {
    match refusal {
        auth::Refusal::Expired { .. } => RefusalKind::Expired,
        auth::Refusal::NotYetValid { .. } => RefusalKind::NotYetValid,
        auth::Refusal::WrongKey { .. } => RefusalKind::KeyReplaced,
        auth::Refusal::NoAudience
        | auth::Refusal::OtherHub { .. }
        | auth::Refusal::OtherResource { .. }
        | auth::Refusal::ClientTokenForRest { .. }
        | auth::Refusal::RestTokenForClient { .. }
        | auth::Refusal::OtherUrl { .. } => RefusalKind::Elsewhere,
        auth::Refusal::Missing
        | auth::Refusal::OtherScheme { .. }
        | auth::Refusal::Malformed(_)
        | auth::Refusal::Algorithm { .. }
        | auth::Refusal::NoExpiry => RefusalKind::Malformed,
    }
}

fn no_token() -> Refusal {
    let text = "it is neither a user access token of the Communication Services nor a client access \
                token of a hub";
    Refusal { kind: RefusalKind::Malformed, text: text.to_owned() }
}

/// The token in a text: a whole URL or header that holds one counts as it.
fn bare(text: &str) -> &str {
    let text = text.split_once("access_token=").map_or(text, |(_, rest)| rest);
    text.split('&').next().unwrap_or_default().trim().trim_start_matches("Bearer ")
}

/// What the payload of a JWT claims; `None` for what is none.
pub(super) fn decode(text: &str) -> Option<Token> {
    let payload = bare(text).split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let audience = texts(&claims, "aud");
    let is_of_chat = claims.contains_key("acsScope") || claims.contains_key("skypeid");
    let user = match claims.get("skypeid").and_then(Value::as_str) {
        Some(id) => Some(format!("8:{id}")),
        None => claims.get("sub").and_then(Value::as_str).map(str::to_owned),
    };
    let scopes = match claims.get("acsScope").and_then(Value::as_str) {
        Some(list) => list.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        None => texts(&claims, "role"),
    };
    Some(Token {
        opens: match (is_of_chat, audience.is_empty()) {
            (true, _) => Token::CHAT,
            (false, false) => Token::HUB,
            (false, true) => Token::NOTHING,
        },
        user,
        scopes,
        issued: moment(&claims, "iat"),
        not_before: moment(&claims, "nbf"),
        expires: moment(&claims, "exp"),
        hub: audience.iter().find_map(|it| hub_of(it)),
        audience,
        refusal: None,
    })
}

fn moment(claims: &Claims, name: &str) -> Option<Timestamp> {
    claims.get(name)?.as_f64().map(|secs| Timestamp::from_secs(secs as i64))
}

fn texts(claims: &Claims, name: &str) -> Vec<String> {
    match claims.get(name) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn hub_of(audience: &str) -> Option<String> {
    let (_, rest) = audience.split_once(CLIENT_PATH)?;
    let hub = rest.split(['?', '/']).next().filter(|it| !it.is_empty())?;
    Some(hub.to_owned())
}

fn path_of(audience: &str) -> Option<String> {
    let (_, rest) = audience.split_once("://")?;
    rest.find('/').map(|at| rest[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn tokens_of_both_kinds_are_told_apart() {
        let chat =
            json!({ "skypeid": "acs:r_u", "acsScope": "voip,chat.join", "exp": 7, "iat": 3 });
        let chat = decode(&jwt(&chat)).unwrap();
        assert_eq!((chat.opens, chat.user.as_deref()), (Token::CHAT, Some("8:acs:r_u")));
        assert_eq!(chat.scopes, ["voip", "chat.join"]);
        assert_eq!(chat.expires, Some(Timestamp::from_secs(7)));
        let hub = json!({ "aud": "https://h/client/hubs/news?x", "sub": "ann", "role": "r" });
        let hub = decode(&jwt(&hub)).unwrap();
        assert_eq!((hub.opens, hub.hub.as_deref()), (Token::HUB, Some("news")));
        assert_eq!((hub.user.as_deref(), hub.scopes), (Some("ann"), vec!["r".to_owned()]));
    }

    #[test]
    fn a_whole_url_or_header_is_taken_for_its_token() {
        let token = jwt(&json!({ "aud": "a" }));
        for text in [
            format!("wss://h/client/hubs/x?access_token={token}"),
            format!("wss://h/?access_token={token}&y=z"),
            format!("Bearer {token}"),
        ] {
            assert_eq!(decode(&text).unwrap().audience, ["a"], "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "a.b", "a.b.c", "....", "e30.e30=.e30"] {
            let _ = decode(text);
        }
        assert_eq!(decode("a.b.c"), None);
        assert_eq!(decode(&jwt(&json!({}))).unwrap().opens, Token::NOTHING);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", claim in ".*", number: f64) {
            let _ = decode(&text);
            let claims = json!({ "aud": claim, "acsScope": claim, "exp": number, "sub": claim });
            let _ = decode(&jwt(&claims));
            let _ = path_of(&claim);
        }
    }
}
