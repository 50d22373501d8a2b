//! A credential that is refused is paused, and tried with one message a minute.
//!
//! Every message would be refused like the first, and services take a million refusals for an
//! attack. Any other answer ends the pause.

use std::time::Duration;

use kernel::Timestamp;

use super::outcome::{Class, Outcome};

/// The state of one credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    next_probe: Option<Timestamp>,
}

impl Pause {
    /// The pause between two probes.
    pub const PROBE_INTERVAL: Duration = Duration::from_secs(60);

    /// Whether a message may go out now. While paused, one a minute may.
    ///
    /// # Errors
    /// How long to wait.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        match &mut self.next_probe {
            None => Ok(()),
            Some(at) if *at <= now => {
                *at = now + Self::PROBE_INTERVAL;
                Ok(())
            }
            Some(at) => Err(at.since(now)),
        }
    }

    /// Takes note of an outcome. Returns whether the pause has just begun: a time to tell the
    /// operator.
    pub fn note(&mut self, outcome: &Outcome, now: Timestamp) -> bool {
        match outcome.class() {
            Class::CredentialRefused if self.next_probe.is_none() => {
                self.next_probe = Some(now + Self::PROBE_INTERVAL);
                true
            }
            // A service that cannot be reached says nothing about the credential.
            Class::CredentialRefused | Class::Temporary | Class::Final => false,
            Class::Accepted
            | Class::HandleDead
            | Class::Throttled
            | Class::Mismatch
            | Class::PayloadRefused => {
                self.next_probe = None;
                false
            }
        }
    }

    /// Whether the credential is paused.
    pub fn is_paused(&self) -> bool {
        self.next_probe.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::outcome::OutcomeName;

    #[test]
    fn a_refused_credential_is_probed_once_a_minute_until_it_works() {
        let mut pause = Pause::default();
        let start = Timestamp::from_secs(0);
        let refused = Outcome::of(OutcomeName::InvalidCredentials, "");
        assert_eq!(pause.admit(start), Ok(()));
        assert!(pause.note(&refused, start), "the operator is told");
        assert!(!pause.note(&refused, start), "once");
        assert_eq!(pause.admit(start), Err(Pause::PROBE_INTERVAL));
        let later = start + Pause::PROBE_INTERVAL;
        assert_eq!(pause.admit(later), Ok(()), "the probe");
        assert_eq!(pause.admit(later), Err(Pause::PROBE_INTERVAL), "only one");
        pause.note(&Outcome::of(OutcomeName::PnsUnreachable, ""), later);
        assert!(pause.is_paused(), "silence proves nothing");
        pause.note(&Outcome::accepted(200, None), later);
        assert_eq!(pause.admit(later), Ok(()));
    }
}
