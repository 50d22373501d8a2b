//! What an OpenID Connect provider says of itself (OpenID Connect Discovery 1.0, section 3).

use serde_json::Value;

/// The part of a provider's metadata that is used here. Every URL is safe, see [`is_safe_url`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// `jwks_uri`: its keys.
    pub keys_url: String,
    /// `authorization_endpoint`: where a browser signs in.
    pub authorization_url: Option<String>,
    /// `token_endpoint`: where a code becomes an ID token.
    pub token_url: Option<String>,
    /// `userinfo_endpoint`: claims that the ID token may lack.
    pub user_info_url: Option<String>,
    /// Whether the token endpoint takes a client secret in the body of the request alone, and not in
    /// the Authorization header, which is the default (`token_endpoint_auth_methods_supported`).
    pub secret_in_body: bool,
    /// Whether each answer to a browser names the issuer (RFC 9207, section 3).
    pub names_issuer: bool,
}

impl ProviderMetadata {
    /// Where the metadata of an issuer is.
    pub fn url(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// Reads the metadata of `issuer`.
    ///
    /// # Errors
    /// What is wrong, when it is no metadata, another issuer's, or names an address that could be
    /// overheard.
    pub fn parse(json: &[u8], issuer: &str) -> Result<Self, String> {
        let metadata: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            let said = text("issuer").unwrap_or_default();
            return Err(format!("it is of the issuer '{said}', not of '{issuer}'"));
        }
        let url = |name: &str| match text(name) {
            Some(url) if !is_safe_url(url) => {
                Err(format!("its {name} is '{url}', which does not begin with https://"))
            }
            found => Ok(found.map(str::to_owned)),
        };
        let methods = metadata.get("token_endpoint_auth_methods_supported");
        let takes = |method: &str| {
            let methods = methods.and_then(Value::as_array);
            methods.is_some_and(|all| all.iter().any(|it| it == method))
        };
        let names_issuer = metadata.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            keys_url: url("jwks_uri")?.ok_or("it has no jwks_uri")?,
            authorization_url: url("authorization_endpoint")?,
            token_url: url("token_endpoint")?,
            user_info_url: url("userinfo_endpoint")?,
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            names_issuer: names_issuer.and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

/// Whether nobody in between can read or change what is exchanged with a URL: over TLS, or within this
/// machine.
pub fn is_safe_url(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    url.starts_with("https://")
        || local.iter().any(|start| url.strip_prefix(start).is_some_and(ends))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.example.com/tenant/";

    fn parse(more: &Value) -> Result<ProviderMetadata, String> {
        let mut metadata = json!({
            "issuer": ISSUER,
            "jwks_uri": "https://login.example.com/keys",
            "authorization_endpoint": "https://login.example.com/authorize",
            "token_endpoint": "https://login.example.com/token",
        });
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        ProviderMetadata::parse(metadata.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn metadata_is_found_below_the_issuer() {
        let expected = "https://login.example.com/tenant/.well-known/openid-configuration";
        assert_eq!(ProviderMetadata::url(ISSUER), expected);
        let metadata = parse(&json!({})).unwrap();
        assert_eq!(metadata.token_url.as_deref(), Some("https://login.example.com/token"));
        assert!(!metadata.names_issuer && metadata.user_info_url.is_none());
        assert!(
            parse(&json!({"authorization_response_iss_parameter_supported": true}))
                .unwrap()
                .names_issuer
        );
    }

    #[test]
    fn the_secret_goes_into_the_body_only_where_the_header_is_not_taken() {
        let of = |methods: Value| {
            parse(&json!({ "token_endpoint_auth_methods_supported": methods })).unwrap()
        };
        assert!(of(json!(["client_secret_post", "private_key_jwt"])).secret_in_body);
        assert!(!of(json!(["client_secret_post", "client_secret_basic"])).secret_in_body);
        assert!(!of(Value::Null).secret_in_body);
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        for (more, expected) in [
            (json!({"issuer": "https://evil.example"}), "of the issuer 'https://evil.example'"),
            (json!({"token_endpoint": "http://login.example.com/token"}), "its token_endpoint is"),
            (json!({"jwks_uri": null}), "no jwks_uri"),
        ] {
            let problem = parse(&more).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        assert!(ProviderMetadata::parse(b"<html>", ISSUER).is_err());
    }

    #[test]
    fn only_this_machine_is_safe_without_tls() {
        for safe in ["https://a", "http://localhost", "http://127.0.0.1:80/x", "http://[::1]:1"] {
            assert!(is_safe_url(safe), "{safe}");
        }
        for unsafe_ in ["http://a", "http://localhost.example", "javascript:alert(1)", ""] {
            assert!(!is_safe_url(unsafe_), "{unsafe_}");
        }
    }
}
