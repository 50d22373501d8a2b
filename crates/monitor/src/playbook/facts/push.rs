//! Hubs: the one that carries the pushes of chat, and those of this server.

use std::collections::BTreeMap;

use kernel::Timestamp;

/// How pushes of the Communication resource leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The hub, if one is linked.
    pub hub: Option<LinkedHub>,
    /// Faults for which linking was refused since the server was started: code and number.
    pub refused: Vec<(String, u64)>,
    /// Devices that are registered for pushes, by platform.
    pub phones: BTreeMap<String, u64>,
}

impl Link {
    /// How often linking was refused with one of these codes.
    pub(crate) fn refused_with(&self, codes: &[&str]) -> u64 {
        let with = self.refused.iter().filter(|(code, _)| codes.contains(&code.as_str()));
        with.map(|(_, count)| count).sum()
    }
}

/// A linked hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedHub {
    /// Its resource id.
    pub id: String,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// What the last send that failed for the link's sake found, and when.
    pub last_fault: Option<(Fault, Timestamp)>,
    /// What it answers just now.
    pub check: HubCheck,
}

/// What a hub answers to a test send that reaches nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubCheck {
    /// It was asked; these are the faults.
    Asked(Vec<Fault>),
    /// It was not asked, and why.
    NotAsked(String),
}

/// Something that is wrong with a linked hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its code, such as `NotificationHubKeyRejected`.
    pub code: String,
    /// With what, such as the platform, or what the hub said.
    pub detail: String,
    /// The platform, if it is about one alone: `apple`, `fcmv1`.
    pub platform: Option<String>,
}

/// A notification hub of this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hub {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Devices by platform, of the first few hundred.
    pub devices: BTreeMap<String, u64>,
    /// The ways to push services.
    pub routes: Vec<Route>,
    /// Outcomes of the last notifications in the window: platform, outcome, devices.
    pub outcomes: Vec<(String, String, u64)>,
}

impl Hub {
    /// Devices of recent notifications that ended in one of these outcomes, by platform.
    pub(crate) fn ended_in(&self, outcomes: &[&str]) -> BTreeMap<&str, u64> {
        let mut devices = BTreeMap::new();
        for (platform, outcome, count) in &self.outcomes {
            if outcomes.contains(&outcome.as_str()) {
                *devices.entry(platform.as_str()).or_default() += count;
            }
        }
        devices
    }
}

/// The way from a hub to one push service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// `apple`, `fcmv1`, `browser`.
    pub platform: String,
    /// Why it cannot be used at all.
    pub unusable: Option<String>,
    /// Whether what cannot be used is a certificate for APNs.
    pub is_certificate: bool,
    /// Whether the push service refuses the credential, so that messages wait.
    pub is_refused: bool,
    /// Whether dead handles are kept, since the credential may be for another environment.
    pub keeps_dead: bool,
    /// What went wrong last.
    pub last_problem: Option<Problem>,
    /// When a message was taken last.
    pub last_success: Option<Timestamp>,
    /// What a message to a device that cannot exist was answered just now; `None` where that was not
    /// tried.
    pub tried: Option<Problem>,
}

/// What a push service answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// When.
    pub at: Timestamp,
    /// The outcome, as in telemetry: `BadChannel`, `InvalidCredentials`, …
    pub outcome: String,
    /// The service's own word.
    pub reason: String,
    /// What that means.
    pub explanation: String,
}
