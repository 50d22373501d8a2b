//! Where a request carries its token. Whether the token holds is for [`crate::verify`].

use crate::Refusal;

/// The token of an `Authorization: Bearer <token>` header; the scheme's case does not matter.
///
/// # Errors
/// When there is no header, no token in it, or another scheme.
pub fn bearer(authorization: Option<&str>) -> Result<&str, Refusal> {
    let header = authorization.map_or("", str::trim);
    if header.is_empty() {
        return Err(Refusal::Missing);
    }
    let (scheme, token) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::OtherScheme { scheme: printable_scheme(scheme, token) });
    }
    match token.trim() {
        "" => Err(Refusal::Missing),
        token => Ok(token),
    }
}

/// The token of a client connection: the query parameter `access_token` (already URL-decoded), which
/// wins when both are there, or the header. An empty parameter counts as none.
///
/// # Errors
/// As [`bearer`].
pub fn client_token<'a>(
    access_token: Option<&'a str>,
    authorization: Option<&'a str>,
) -> Result<&'a str, Refusal> {
    match access_token.map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token),
        _ => bearer(authorization),
    }
}

/// The scheme's name if it can only be one. A bare token in the header must not be repeated in an
/// error, so only short words before a credential are.
fn printable_scheme(scheme: &str, credential: &str) -> Option<String> {
    let is_word =
        scheme.len() <= 24 && scheme.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    (is_word && !credential.is_empty()).then(|| scheme.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_token_whatever_the_case_of_the_scheme() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c  ", "Bearer\ta.b.c"] {
            assert_eq!(bearer(Some(header)), Ok("a.b.c"), "{header}");
        }
    }

    #[test]
    fn nothing_sent_is_missing() {
        for header in [None, Some(""), Some("  "), Some("Bearer"), Some("Bearer  ")] {
            assert_eq!(bearer(header), Err(Refusal::Missing), "{header:?}");
        }
    }

    #[test]
    fn another_scheme_is_named_but_a_bare_token_is_not() {
        let refusal = bearer(Some("Basic dXNlcjpwdw==")).unwrap_err();
        assert_eq!(refusal, Refusal::OtherScheme { scheme: Some("Basic".to_owned()) });
        for header in ["eyJhbGciOi.eyJzdWIi.c2ln", "supersecretword", "to.ken extra"] {
            assert_eq!(bearer(Some(header)), Err(Refusal::OtherScheme { scheme: None }));
        }
    }

    #[test]
    fn a_client_prefers_the_query_parameter() {
        assert_eq!(client_token(Some("q"), Some("Bearer h")), Ok("q"));
        assert_eq!(client_token(None, Some("Bearer h")), Ok("h"));
        assert_eq!(client_token(Some(""), Some("Bearer h")), Ok("h"));
        assert_eq!(client_token(Some(" "), None), Err(Refusal::Missing));
    }
}
