//! Why something was refused or ended, as a word that programs match on. Sentences about it may
//! change; these words do not.

use std::fmt;

macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident,)+) => {
        /// The causes that are told apart, of whatever service they come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[$doc])* $cause,)+ }

        impl Cause {
            /// Every cause.
            pub const ALL: &[Self] = &[$(Self::$cause,)+];

            /// As it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$cause => stringify!($cause),)+ }
            }
        }
    };
}

causes! {
    /// No key that is in force made the signature, or none was given.
    KeyRejected,
    /// The time of the token or signature is over.
    TokenExpired,
    /// A token was taken back, or what it depends on was: its user, the key that issued it.
    TokenRevoked,
    /// The credential is for something else: another resource, hub or address.
    TokenElsewhere,
    /// No token, or a text that is none of those that open this.
    TokenMalformed,
    /// The time of the token or signature has not begun, or is too far from the server's.
    ClockOff,
    /// The token has no scope that permits it.
    ScopeMissing,
    /// The caller is not in the thread.
    NotParticipant,
    /// Larger, longer or more than a limit permits.
    LimitHit,
    /// Too much at once.
    Throttled,
    /// A client read more slowly than messages came.
    SlowReceiver,
}

impl Cause {
    /// From [`Cause::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == name)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_known_by_its_name() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.as_str()), Some(*cause));
        }
        assert_eq!(Cause::from_name("Weather"), None);
    }
}
