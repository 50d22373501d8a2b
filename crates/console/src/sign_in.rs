//! Who may use the console: one-time codes that become sessions, and sessions of who has proven
//! elsewhere who they are. Pure; time is an argument.
//!
//! A code is made for a person who has proven elsewhere that they operate this server (they read its
//! screen, or reach its admin listener). It works once, and for minutes. Codes and sessions are kept as
//! digests in memory, so a look-up tells nothing by its time, and a restart signs everybody out.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Secret, Timestamp};

/// How long a code can be used.
pub const CODE_LIFETIME: Duration = Duration::from_mins(10);
/// How long a session lasts.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(12);
/// Codes that can be open at a time; the oldest makes room.
const MAX_CODES: usize = 20;
/// Sessions at a time; the oldest makes room.
const MAX_SESSIONS: usize = 100;

/// All codes and sessions of a server.
#[derive(Debug, Default)]
pub struct SignIn {
    codes: Tickets<()>,
    /// With the name of whoever it is of, where that is known.
    sessions: Tickets<Option<String>>,
}

impl SignIn {
    /// A new code.
    pub fn issue(&mut self, now: Timestamp) -> Secret {
        self.codes.add((), now, CODE_LIFETIME, MAX_CODES)
    }

    /// Makes a session of a code; `None` when the code is unknown, used, or too old.
    pub fn exchange(&mut self, code: &str, now: Timestamp) -> Option<Secret> {
        let (ends, ()) = self.codes.0.remove(&fingerprint(code))?;
        (now < ends).then(|| self.open(None, now))
    }

    /// A session for somebody who needs no code, by their name if they have one.
    pub fn open(&mut self, name: Option<String>, now: Timestamp) -> Secret {
        self.sessions.add(name, now, SESSION_LIFETIME, MAX_SESSIONS)
    }

    /// Whether a session is in force.
    pub fn admits(&self, session: &str, now: Timestamp) -> bool {
        self.sessions.0.get(&fingerprint(session)).is_some_and(|(ends, _)| now < *ends)
    }

    /// The name of whoever has a session, where that is known.
    pub fn name(&self, session: &str) -> Option<&str> {
        self.sessions.0.get(&fingerprint(session))?.1.as_deref()
    }

    /// Ends a session.
    pub fn end(&mut self, session: &str) {
        self.sessions.0.remove(&fingerprint(session));
    }
}

/// Random texts by their digests, with the moment at which each ends and what is known of it.
#[derive(Debug)]
struct Tickets<T>(HashMap<[u8; 32], (Timestamp, T)>);

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Tickets<T> {
    fn add(&mut self, known: T, now: Timestamp, lifetime: Duration, most: usize) -> Secret {
        self.0.retain(|_, (ends, _)| now < *ends);
        while self.0.len() >= most {
            let Some(oldest) = self.0.iter().min_by_key(|(_, (ends, _))| *ends) else { break };
            let oldest = *oldest.0;
            self.0.remove(&oldest);
        }
        let text = random();
        self.0.insert(fingerprint(&text), (now + lifetime, known));
        Secret::new(text)
    }
}

/// 192 random bits, as text that fits into addresses and cookies.
fn random() -> String {
    let mut bits = [0; 24];
    rand::fill(&mut bits).expect("the system's random source works");
    URL_SAFE_NO_PAD.encode(bits)
}

fn fingerprint(text: &str) -> [u8; 32] {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_code_works_once() {
        let mut doors = SignIn::default();
        let code = doors.issue(NOW);
        let session = doors.exchange(code.expose(), NOW).unwrap();
        assert!(doors.admits(session.expose(), NOW));
        assert!(doors.exchange(code.expose(), NOW).is_none());
        assert!(!doors.admits(code.expose(), NOW), "a code is no session");
        assert!(doors.exchange(session.expose(), NOW).is_none(), "nor the other way round");
    }

    #[test]
    fn a_session_knows_whose_it_is_if_anybody_said_so() {
        let mut doors = SignIn::default();
        let named = doors.open(Some("ada".to_owned()), NOW);
        assert_eq!(doors.name(named.expose()), Some("ada"));
        let code = doors.issue(NOW);
        let nameless = doors.exchange(code.expose(), NOW).unwrap();
        assert_eq!(doors.name(nameless.expose()), None);
        assert!(doors.admits(named.expose(), NOW) && doors.admits(nameless.expose(), NOW));
    }

    #[test]
    fn codes_and_sessions_end() {
        let mut doors = SignIn::default();
        let (late, good) = (doors.issue(NOW), doors.issue(NOW));
        let session = doors.exchange(good.expose(), NOW).unwrap();
        assert!(doors.exchange(late.expose(), NOW + CODE_LIFETIME).is_none());
        let last = NOW + SESSION_LIFETIME - Duration::from_secs(1);
        assert!(doors.admits(session.expose(), last));
        assert!(!doors.admits(session.expose(), NOW + SESSION_LIFETIME));
        doors.end(session.expose());
        assert!(!doors.admits(session.expose(), NOW));
    }

    #[test]
    fn the_oldest_makes_room_and_memory_is_bounded() {
        let mut doors = SignIn::default();
        let first = doors.issue(NOW - Duration::from_secs(1));
        let rest: Vec<Secret> = (0..MAX_CODES).map(|_| doors.issue(NOW)).collect();
        assert_eq!(doors.codes.0.len(), MAX_CODES);
        assert!(doors.exchange(first.expose(), NOW).is_none());
        assert!(rest.iter().all(|code| doors.exchange(code.expose(), NOW).is_some()));
    }
}
