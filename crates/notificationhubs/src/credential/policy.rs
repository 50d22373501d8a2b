//! Policies: a name, two keys, and what they permit.

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Result, Secret};

use crate::refusal::{bad_request, shown};

const MAX_NAME: usize = 256;

/// The policy for devices that a new notification hub has.
pub const DEFAULT_LISTEN: &str = "DefaultListenSharedAccessSignature";
/// The policy for backends that a new notification hub has.
pub const DEFAULT_FULL: &str = "DefaultFullSharedAccessSignature";
/// The policy that a new namespace has.
pub const ROOT_MANAGE: &str = "RootManageSharedAccessKey";

/// One thing that a policy can permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To register devices.
    Listen,
    /// To send.
    Send,
    /// Everything.
    Manage,
}

impl Right {
    /// All rights, in the order in which the service lists them.
    pub const ALL: [Self; 3] = [Self::Listen, Self::Manage, Self::Send];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "Listen",
            Self::Send => "Send",
            Self::Manage => "Manage",
        }
    }

    /// The right of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str().eq_ignore_ascii_case(name))
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Listen => 1,
            Self::Send => 2,
            Self::Manage => 4,
        }
    }
}

/// A set of rights. A set that is made with Manage has the others, too.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Every right.
    pub const ALL: Self = Self(7);

    /// Whether the right is among them.
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// The same rights but for sending.
    pub(super) const fn without_send(self) -> Self {
        Self(self.0 & !Right::Send.bit())
    }

    /// The rights in the service's order.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }

    /// As the store keeps them: names with commas between them.
    pub fn to_list(self) -> String {
        self.iter().map(Right::as_str).collect::<Vec<_>>().join(",")
    }

    /// What [`Rights::to_list`] made; unknown names are passed over.
    pub fn from_list(list: &str) -> Self {
        list.split(',').filter_map(Right::from_name).collect()
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        let bits = rights.into_iter().fold(0, |bits, right| bits | right.bit());
        if bits & Right::Manage.bit() == 0 { Self(bits) } else { Self::ALL }
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

/// A shared access policy, of a notification hub or of its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name; `skn` of a token.
    pub name: String,
    /// What it permits.
    pub rights: Rights,
    /// The key that is shown first.
    pub primary: Secret,
    /// The spare one, in use while the primary is replaced.
    pub secondary: Secret,
}

impl Policy {
    /// A policy with two new keys.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be one, or no right at all.
    pub fn generate(name: &str, rights: Rights) -> Result<Self> {
        check_name(name)?;
        if rights == Rights::default() {
            return Err(bad_request(format!(
                "The policy '{name}' permits nothing; give it Listen, Send or Manage."
            )));
        }
        let (primary, secondary) = (generate_key(), generate_key());
        Ok(Self { name: name.to_owned(), rights, primary, secondary })
    }

    /// The two policies of a new notification hub.
    pub fn of_new_hub() -> [Self; 2] {
        [(DEFAULT_LISTEN, Rights::from_iter([Right::Listen])), (DEFAULT_FULL, Rights::ALL)]
            .map(|(name, rights)| Self::generate(name, rights).expect("the names are good"))
    }

    /// The policy of a new namespace.
    pub fn of_new_namespace() -> Self {
        Self::generate(ROOT_MANAGE, Rights::ALL).expect("the name is good")
    }
}

/// A new random key: 32 bytes in base64, as the service makes them. It signs as its text.
pub fn generate_key() -> Secret {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).expect("the system's random source answers");
    Secret::new(STANDARD.encode(bytes))
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!()*+,-._".contains(c);
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(allowed) {
        return Ok(());
    }
    Err(bad_request(format!(
        "The policy name '{}' is invalid. A name has 1 to {MAX_NAME} letters, digits and ! ( ) * + , \
         - . _",
        shown(name)
    )))
}
