//! One sign-in on its way to the identity provider and back. Pure; time is an argument.
//!
//! What belongs to a sign-in stays with the browser that began it: its cookie holds a random text and the
//! moment, and all else (state, nonce, code verifier) is derived from these with a key of this process.
//! So whoever begins sign-ins without end fills no memory and crowds out nobody. Kept is only which
//! states were used. That is bounded, and the oldest is forgotten first: its code would not work a
//! second time at the provider.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, ErrorKind, Secret, Timestamp};
use serde::Deserialize;

/// How long somebody may take to sign in at the provider.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);
/// Used states that are remembered.
const MAX_USED: usize = 1000;
/// What a provider says is cut after this many characters.
const SHOWN: usize = 300;

/// All sign-ins of a server.
#[derive(Debug)]
pub(crate) struct Flow {
    key: hmac::Key,
    used: HashMap<String, Timestamp>,
}

/// A sign-in that begins.
#[derive(Debug)]
pub(crate) struct Begun {
    /// For the browser's cookie.
    pub(crate) kept: Secret,
    /// `state` of the request.
    pub(crate) state: String,
    /// `nonce` of the request.
    pub(crate) nonce: String,
    /// `code_challenge` of the request, by S256.
    pub(crate) challenge: String,
}

/// A sign-in that goes on.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// What the ID token has as `nonce`.
    pub(crate) nonce: String,
    /// What the code was asked for with (RFC 7636).
    pub(crate) verifier: Secret,
}

/// What the browser brings back from the provider (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Callback {
    pub(crate) code: Option<Secrecy>,
    pub(crate) state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// A text of a query that is a secret.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secrecy(Secret);

impl From<String> for Secrecy {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// Why a browser that comes back is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// It has begun nothing, or has forgotten it.
    NotBegun,
    /// It has begun another sign-in, or one of another process.
    Foreign,
    /// It has taken too long.
    Late,
    /// It comes a second time.
    Used,
    /// The answer is another provider's (mix-up, RFC 9207).
    OtherIssuer(String),
    /// The provider refuses, in its own words.
    Refused { error: String, description: Option<String> },
    /// There is neither a code nor an error.
    Empty,
}

impl Default for Flow {
    fn default() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        Self { key: key.expect("the system's random source works"), used: HashMap::new() }
    }
}

impl Flow {
    /// A new sign-in.
    pub(crate) fn begin(&self, now: Timestamp) -> Begun {
        let mut bits = [0; 32];
        rand::fill(&mut bits).expect("the system's random source works");
        let kept = format!("{}.{}", URL_SAFE_NO_PAD.encode(bits), now.as_secs());
        let challenge = digest(&SHA256, self.derive("verifier", &kept).as_bytes());
        Begun {
            state: self.derive("state", &kept),
            nonce: self.derive("nonce", &kept),
            challenge: URL_SAFE_NO_PAD.encode(challenge),
            kept: Secret::new(kept),
        }
    }

    /// The sign-in of a browser that comes back, by its cookie and the `state` that it brings. Works once.
    pub(crate) fn resume(
        &mut self,
        kept: Option<&str>,
        state: Option<&str>,
        now: Timestamp,
    ) -> Result<Resumed, Stray> {
        let kept = kept.filter(|it| !it.is_empty()).ok_or(Stray::NotBegun)?;
        let state = state.unwrap_or_default();
        let tag = URL_SAFE_NO_PAD.decode(state).map_err(|_| Stray::Foreign)?;
        hmac::verify(&self.key, &message("state", kept), &tag).map_err(|_| Stray::Foreign)?;
        // The state holds, so this process has written the cookie.
        let begun = kept.rsplit_once('.').and_then(|(_, secs)| secs.parse().ok());
        let ends = Timestamp::from_secs(begun.unwrap_or_default()) + LIFETIME;
        if now >= ends {
            return Err(Stray::Late);
        }
        self.use_up(state, ends, now)?;
        let verifier = Secret::new(self.derive("verifier", kept));
        Ok(Resumed { nonce: self.derive("nonce", kept), verifier })
    }

    fn use_up(&mut self, state: &str, ends: Timestamp, now: Timestamp) -> Result<(), Stray> {
        if self.used.contains_key(state) {
            return Err(Stray::Used);
        }
        self.used.retain(|_, ends| now < *ends);
        if self.used.len() >= MAX_USED {
            let oldest = self.used.iter().min_by_key(|(_, ends)| **ends);
            if let Some(oldest) = oldest.map(|(state, _)| state.clone()) {
                self.used.remove(&oldest);
            }
        }
        self.used.insert(state.to_owned(), ends);
        Ok(())
    }

    fn derive(&self, purpose: &str, kept: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &message(purpose, kept)))
    }
}

fn message(purpose: &str, kept: &str) -> Vec<u8> {
    format!("{purpose}\0{kept}").into_bytes()
}

impl Callback {
    /// The code, if the answer is `issuer`'s and no refusal. `named` tells that its answers always name
    /// it.
    pub(crate) fn code(&self, issuer: &str, named: bool) -> Result<&Secret, Stray> {
        if self.iss.as_deref().map_or(named, |it| it != issuer) {
            return Err(Stray::OtherIssuer(shown(self.iss.as_deref().unwrap_or_default())));
        }
        if let Some(error) = &self.error {
            let description = self.error_description.as_deref().map(shown);
            return Err(Stray::Refused { error: shown(error), description });
        }
        self.code.as_ref().map(|Secrecy(code)| code).ok_or(Stray::Empty)
    }
}

/// One line of a strange text.
fn shown(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(SHOWN).collect()
}

impl From<Stray> for Error {
    fn from(stray: Stray) -> Self {
        Self::new(ErrorKind::Forbidden, "SignInRefused", stray.to_string())
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = LIFETIME.as_secs() / 60;
        match self {
            Self::NotBegun => write!(
                out,
                "This browser has begun no sign-in in the last {minutes} minutes, or keeps no \
                 cookies for this address. Begin with the button below."
            ),
            Self::Foreign => out.write_str(
                "This answer belongs to another sign-in than the last one that this browser has \
                 begun, or the server was restarted in between. Sign in again.",
            ),
            Self::Late => {
                write!(out, "The sign-in took longer than {minutes} minutes. Sign in again.")
            }
            Self::Used => out.write_str("This sign-in was used already. Sign in again."),
            Self::OtherIssuer(seen) => write!(
                out,
                "The answer is of the issuer '{seen}', not of the one that was asked. Sign in \
                 again; if it stays so, correct console.issuer."
            ),
            Self::Refused { error, description } => {
                write!(out, "The identity provider has refused: {error}")?;
                match description {
                    Some(description) => write!(out, " ({description})"),
                    None => out.write_str("."),
                }
            }
            Self::Empty => out.write_str(
                "The identity provider has sent neither a code nor an error. Let its client for the \
                 console use the authorization code flow.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const ISSUER: &str = "https://login.example.com";

    fn resume(flow: &mut Flow, begun: &Begun, now: Timestamp) -> Result<Resumed, Stray> {
        flow.resume(Some(begun.kept.expose()), Some(&begun.state), now)
    }

    fn callback(query: &str) -> Callback {
        let pairs: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        serde_json::from_value(serde_json::to_value(pairs).unwrap()).unwrap()
    }

    #[test]
    fn who_comes_back_goes_on_with_what_was_asked_for() {
        let mut flow = Flow::default();
        let begun = flow.begin(NOW);
        let resumed = resume(&mut flow, &begun, NOW + Duration::from_secs(60)).unwrap();
        assert_eq!(resumed.nonce, begun.nonce);
        let verifier = resumed.verifier.expose();
        assert_eq!(verifier.len(), 43, "as RFC 7636 wants it");
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        assert_eq!(challenge, begun.challenge);
        let texts = [begun.kept.expose(), &begun.state, &begun.nonce, &begun.challenge];
        assert!(texts.iter().all(|text| !text.contains(verifier)), "it is told nobody");
    }

    #[test]
    fn a_sign_in_works_once_and_for_minutes() {
        let mut flow = Flow::default();
        let (begun, late) = (flow.begin(NOW), flow.begin(NOW));
        assert!(resume(&mut flow, &begun, NOW).is_ok());
        assert_eq!(resume(&mut flow, &begun, NOW).unwrap_err(), Stray::Used);
        let last = NOW + LIFETIME - Duration::from_secs(1);
        assert_eq!(resume(&mut flow, &begun, last).unwrap_err(), Stray::Used);
        assert_eq!(resume(&mut flow, &late, NOW + LIFETIME).unwrap_err(), Stray::Late);
    }

    #[test]
    fn only_the_browser_that_began_it_goes_on() {
        let mut flow = Flow::default();
        let (own, other) = (flow.begin(NOW), flow.begin(NOW));
        let kept = own.kept.expose();
        let (random, secs) = kept.rsplit_once('.').unwrap();
        let postponed = format!("{random}.{}", secs.parse::<u64>().unwrap() + 600);
        for (kept, state, expected) in [
            (None, Some(own.state.as_str()), Stray::NotBegun),
            (Some(""), Some(&own.state), Stray::NotBegun),
            (Some(kept), None, Stray::Foreign),
            (Some(kept), Some("no base64"), Stray::Foreign),
            (Some(kept), Some(&other.state), Stray::Foreign),
            (Some(kept), Some(&own.nonce), Stray::Foreign),
            (Some(&postponed), Some(&own.state), Stray::Foreign),
        ] {
            assert_eq!(flow.resume(kept, state, NOW).unwrap_err(), expected, "{kept:?} {state:?}");
        }
        let mut restarted = Flow::default();
        assert_eq!(resume(&mut restarted, &own, NOW).unwrap_err(), Stray::Foreign);
        assert!(resume(&mut flow, &own, NOW).is_ok(), "strangers have not used it up");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_in_time() {
        let mut flow = Flow::default();
        for _ in 0..MAX_USED + 5 {
            let begun = flow.begin(NOW);
            resume(&mut flow, &begun, NOW).unwrap();
        }
        assert_eq!(flow.used.len(), MAX_USED);
        let later = NOW + LIFETIME;
        let begun = flow.begin(later);
        resume(&mut flow, &begun, later).unwrap();
        assert_eq!(flow.used.len(), 1);
    }

    #[test]
    fn an_answer_of_another_issuer_is_refused() {
        let code = |query: &str, named| {
            callback(query).code(ISSUER, named).map(|code| code.expose().to_owned())
        };
        assert_eq!(code("code=c", false).unwrap(), "c");
        assert_eq!(code("code=c&iss=https://login.example.com", true).unwrap(), "c");
        for (query, named, seen) in [
            ("code=c&iss=https://evil.example", false, "https://evil.example"),
            ("error=access_denied&iss=https://evil.example", true, "https://evil.example"),
            ("code=c", true, ""),
        ] {
            assert_eq!(code(query, named), Err(Stray::OtherIssuer(seen.to_owned())), "{query}");
        }
    }

    #[test]
    fn the_providers_refusal_is_told_in_its_words() {
        let stray = callback("error=access_denied&error_description=Not%0Ayou&code=c");
        let stray = stray.code(ISSUER, false).unwrap_err();
        let expected = "The identity provider has refused: access_denied (Not you)";
        assert_eq!(stray.to_string(), expected);
        assert_eq!(callback("").code(ISSUER, false), Err(Stray::Empty));
    }
}
