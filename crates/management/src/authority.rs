//! Who may call. The one place where that is decided.
//!
//! Bearer tokens, as every resource manager SDK sends them: in development any, in production a
//! management key or, where one is configured, a token of an identity provider.

use std::fmt;
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
    /// Production.
    Keys {
        /// The token may be one of these.
        management: Arc<KeyRing>,
        /// Or one that this accepts.
        provider: Option<Arc<dyn TokenCheck>>,
    },
}

/// The port to an identity provider.
pub trait TokenCheck: fmt::Debug + Send + Sync + 'static {
    /// Who a token speaks for.
    ///
    /// # Errors
    /// Why it does not hold, without repeating it.
    fn identify(&self, token: &str) -> Result<String>;
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
            Self::Keys { provider: Some(provider), .. } if is_jwt(token) => {
                provider.identify(token).map(Principal::new).map_err(in_our_words)
            }
            Self::Keys { management, .. } => {
                let keys = management.current();
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
            Self::Keys { .. } => {
                "Send the management key as the token: `tidings keys show management primary` with \
                 the server's --config prints it. Give the client a credential whose token is that \
                 text."
            }
        };
        Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", format!("{what} {cure}"))
    }
}

/// The refusal of a provider's token, under the code that management clients know.
fn in_our_words(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unauthenticated => {
            Error::new(error.kind(), "AuthenticationFailed", error.message().to_owned())
        }
        _ => error,
    }
}

/// The characters of RFC 6750 section 2.1.
fn is_well_formed(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    token.len() <= MAX_TOKEN_BYTES && !body.is_empty() && body.bytes().all(is_allowed)
}

/// Management keys have no dots, tokens of identity providers have two.
fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn is_equal(key: &Secret, token: &str) -> bool {
    verify_slices_are_equal(key.expose().as_bytes(), token.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use auth::{AccessKeys, KeySlot};

    use super::*;

    fn production(keys: AccessKeys) -> (Arc<KeyRing>, Authority) {
        let management = Arc::new(KeyRing::new(keys));
        let provider: Option<Arc<dyn TokenCheck>> = Some(Arc::new(OnlyAnn));
        (Arc::clone(&management), Authority::Keys { management, provider })
    }

    /// A provider that knows one token.
    #[derive(Debug)]
    struct OnlyAnn;

    impl TokenCheck for OnlyAnn {
        fn identify(&self, token: &str) -> Result<String> {
            match token {
                "a.n.n" => Ok("ann".to_owned()),
                _ => Err(Error::new(ErrorKind::Unauthenticated, "Unauthorized", "not ann")),
            }
        }
    }

    #[test]
    fn tokens_of_the_identity_provider_are_its_business() {
        let authority = production(AccessKeys::generate()).1;
        assert_eq!(authority.admit(Some("Bearer a.n.n")).unwrap().name(), "ann");
        let error = authority.admit(Some("Bearer b.o.b")).unwrap_err();
        assert_eq!((error.code(), error.message()), ("AuthenticationFailed", "not ann"));
    }

    #[test]
    fn development_lets_in_whoever_has_a_token() {
        for header in ["Bearer x", "bearer eyJ0.eyJ1.c2ln-_", "Bearer YWJj=="] {
            assert!(Authority::AnyBearer.admit(Some(header)).is_ok(), "{header}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_everywhere_with_the_cure() {
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        let keys = production(AccessKeys::generate()).1;
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
        let (ring, authority) = production(keys.clone());
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
