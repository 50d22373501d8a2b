//! Who may call. The one place where that is decided.
//!
//! Bearer tokens, as every resource manager SDK sends them. Two authorities exist; one that checks
//! the tokens of an identity provider would be a third variant here and nothing else.

use std::sync::Arc;

use auth::{KeyRing, Refusal};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use kernel::{Error, ErrorKind, Result, Secret};

/// Longest token that is looked at; tokens of identity providers have a few kilobytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Decides who may call.
#[derive(Clone, Debug)]
pub enum Authority {
    /// Development, on loopback: every well-formed token is let in, so that any credential does.
    AnyBearer,
    /// Production: the token must be one of the management keys.
    Keys(Arc<KeyRing>),
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: String,
}

impl Principal {
    /// A caller of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// What logs call it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Authority {
    /// Checks the `Authorization` header of a call.
    ///
    /// # Errors
    /// `AuthenticationFailed`, saying how to get a token that holds.
    pub fn admit(&self, authorization: Option<&str>) -> Result<Principal> {
        let token = auth::bearer(authorization).map_err(|refusal| match refusal {
            Refusal::OtherScheme { .. } => {
                self.refused("The 'Authorization' header is not of the scheme Bearer.")
            }
            _ => self.refused("The 'Authorization' header is missing or empty."),
        })?;
        if !is_well_formed(token) {
            return Err(self.refused(
                "The bearer token is no token: it holds characters that none has, or is too long.",
            ));
        }
        match self {
            Self::AnyBearer => Ok(Principal::new("developer")),
            Self::Keys(ring) => {
                let keys = ring.current();
                // Both are compared, so that the time taken does not tell which one fitted.
                let fits = [keys.primary(), keys.secondary()].map(|key| is_equal(key, token));
                match fits.contains(&true) {
                    true => Ok(Principal::new("management key")),
                    false => {
                        Err(self
                            .refused("The bearer token is not a management key of this server."))
                    }
                }
            }
        }
    }

    /// Whether it takes any token, so that a token proves nothing.
    pub(crate) fn takes_any_token(&self) -> bool {
        matches!(self, Self::AnyBearer)
    }

    fn refused(&self, what: &str) -> Error {
        let cure = match self {
            Self::AnyBearer => {
                "In development any token will do: give the client a credential whose token is a \
                 text such as 'development'."
            }
            Self::Keys(_) => {
                "Send the management key as the token: `tidings keys show management primary` with \
                 the server's --config prints it. Give the client a credential whose token is that \
                 text."
            }
        };
        Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", format!("{what} {cure}"))
    }
}

/// The characters of RFC 6750 section 2.1.
fn is_well_formed(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    token.len() <= MAX_TOKEN_BYTES && !body.is_empty() && body.bytes().all(is_allowed)
}

fn is_equal(key: &Secret, token: &str) -> bool {
    verify_slices_are_equal(key.expose().as_bytes(), token.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use auth::{AccessKeys, KeySlot};

    use super::*;

    #[test]
    fn development_lets_in_whoever_has_a_token() {
        for header in ["Bearer x", "bearer eyJ0.eyJ1.c2ln-_", "Bearer YWJj=="] {
            assert!(Authority::AnyBearer.admit(Some(header)).is_ok(), "{header}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_everywhere_with_the_cure() {
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        let keys = Authority::Keys(Arc::new(KeyRing::new(AccessKeys::generate())));
        for header in [
            None,
            Some("Basic dTpw"),
            Some("Bearer"),
            Some("Bearer =="),
            Some("Bearer a b"),
            Some(long.as_str()),
        ] {
            for (authority, cure) in
                [(&Authority::AnyBearer, "development"), (&keys, "tidings keys show")]
            {
                let error = authority.admit(header).unwrap_err();
                assert_eq!(
                    (error.kind(), error.code()),
                    (ErrorKind::Unauthenticated, "AuthenticationFailed")
                );
                assert!(error.message().contains(cure), "{error}");
            }
        }
    }

    #[test]
    fn production_takes_either_key_and_nothing_else() {
        let keys = AccessKeys::generate();
        let ring = Arc::new(KeyRing::new(keys.clone()));
        let authority = Authority::Keys(Arc::clone(&ring));
        let bearer = |key: &Secret| format!("Bearer {}", key.expose());
        let (primary, secondary) = (bearer(keys.primary()), bearer(keys.secondary()));
        assert!(authority.admit(Some(&primary)).is_ok());
        assert!(authority.admit(Some(&secondary)).is_ok());
        let error = authority.admit(Some(&format!("{primary}x"))).unwrap_err();
        assert!(!format!("{error:?}").contains(keys.primary().expose()), "no key in an error");

        ring.replace(keys.rotated(KeySlot::Primary));
        assert!(authority.admit(Some(&primary)).is_err(), "replaced");
        assert!(authority.admit(Some(&secondary)).is_ok(), "still in force");
    }
}
