//! What may be wrong between a resource and its hub: each with a code, a cure and a counter.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Error, ErrorKind};

use super::probe::Platform;

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The resource has no hub.
    NotLinked,
    /// The text is no connection string of a hub.
    ConnectionString,
    /// The text is no id of a hub.
    ResourceId,
    /// Nobody answers at the hub's address, or not with anything that a hub says.
    Unreachable,
    /// There is no such hub at the address.
    HubNotFound,
    /// The hub does not know the key, such as after it was regenerated.
    KeyRejected,
    /// The key's rule does not permit sending.
    SendRightMissing,
    /// The hub has no credentials for a platform.
    CredentialsMissing,
    /// The platform does not accept the hub's credentials.
    CredentialsRejected,
    /// The hub reaches APNs with a certificate, but only tokens carry pushes of this service.
    ApnsCertificateMode,
}

/// All of them, in the order in which they are counted.
const ALL: [FaultKind; 10] = [
    FaultKind::NotLinked,
    FaultKind::ConnectionString,
    FaultKind::ResourceId,
    FaultKind::Unreachable,
    FaultKind::HubNotFound,
    FaultKind::KeyRejected,
    FaultKind::SendRightMissing,
    FaultKind::CredentialsMissing,
    FaultKind::CredentialsRejected,
    FaultKind::ApnsCertificateMode,
];

impl FaultKind {
    /// The code in refusals, records and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotLinked => "NotificationHubNotLinked",
            Self::ConnectionString => "InvalidHubConnectionString",
            Self::ResourceId => "InvalidHubResourceId",
            Self::Unreachable => "NotificationHubUnreachable",
            Self::HubNotFound => "NotificationHubNotFound",
            Self::KeyRejected => "NotificationHubKeyRejected",
            Self::SendRightMissing => "NotificationHubSendRightMissing",
            Self::CredentialsMissing => "NotificationHubCredentialsMissing",
            Self::CredentialsRejected => "NotificationHubCredentialsRejected",
            Self::ApnsCertificateMode => "NotificationHubApnsCertificateMode",
        }
    }

    /// The kind with this code.
    pub fn of_code(code: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// What it means and what cures it.
    const fn cure(self) -> &'static str {
        match self {
            Self::NotLinked => "Link a notification hub to the resource (linkNotificationHub).",
            Self::ConnectionString => {
                "Give connectionString as Endpoint=sb://<host>/;SharedAccessKeyName=<name>;\
                 SharedAccessKey=<key>, as listKeys of the hub answers it."
            }
            Self::ResourceId => {
                "Give resourceId as /subscriptions/<id>/resourceGroups/<group>/providers/\
                 Microsoft.NotificationHubs/namespaces/<namespace>/notificationHubs/<hub>."
            }
            Self::Unreachable => {
                "Check the Endpoint of the connection string, and that this server may call it \
                 (outbound.allow) and trusts its certificate."
            }
            Self::HubNotFound => {
                "The hub was deleted, or the connection string is that of another namespace."
            }
            Self::KeyRejected => {
                "The key was regenerated or is that of another hub: link again with a current \
                 connection string."
            }
            Self::SendRightMissing => {
                "Link again with the connection string of a rule that has the right Send, such as \
                 DefaultFullSharedAccessSignature."
            }
            Self::CredentialsMissing => "Give the hub the credentials of the platform.",
            Self::CredentialsRejected => {
                "The platform refuses the hub's credentials: check and replace them in the hub."
            }
            Self::ApnsCertificateMode => {
                "Give the hub an APNs token key (.p8) in place of the certificate."
            }
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// With what, such as the platform, or what the hub said; no secret.
    pub detail: String,
    /// Which platform it is about, where a hub that was asked about each shows it for this one alone.
    pub platform: Option<Platform>,
}

impl Fault {
    /// A fault.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), platform: None }
    }

    /// Of one platform alone.
    pub(crate) fn of(self, platform: Platform) -> Self {
        Self { platform: Some(platform), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}. {}", self.kind.code(), self.detail, self.kind.cure())
    }
}

/// All that speaks against a link, the first with its code.
pub(crate) fn refusal(faults: &[Fault]) -> Error {
    let code = faults.first().map_or("BadRequest", |it| it.kind.code());
    let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
    let message = format!("The notification hub cannot be linked. {}", all.join(" "));
    Error::new(ErrorKind::Invalid, code, message)
}

/// When a fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// While linking.
    Link,
    /// While sending.
    Send,
}

/// How often each fault was found.
#[derive(Debug, Default)]
pub(crate) struct Counters([[AtomicU64; ALL.len()]; 2]);

impl Counters {
    pub(crate) fn count(&self, stage: Stage, kind: FaultKind) {
        self.0[stage as usize][kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Code, stage and number of each fault, also of those that were never found.
    pub(crate) fn read(&self) -> Vec<(&'static str, Stage, u64)> {
        let stages = [Stage::Link, Stage::Send].into_iter();
        let each = |stage| ALL.into_iter().map(move |kind| (stage, kind));
        let read = |(stage, kind): (Stage, FaultKind)| {
            let count = self.0[stage as usize][kind as usize].load(Ordering::Relaxed);
            (kind.code(), stage, count)
        };
        stages.flat_map(each).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_kind_has_a_code_a_cure_and_a_counter_of_its_own() {
        assert_eq!(ALL.map(FaultKind::code).into_iter().collect::<HashSet<_>>().len(), ALL.len());
        assert_eq!(ALL.map(FaultKind::cure).into_iter().collect::<HashSet<_>>().len(), ALL.len());
        for (index, kind) in ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, FaultKind::of_code(kind.code())), (index, Some(kind)));
        }
        let counters = Counters::default();
        counters.count(Stage::Send, FaultKind::KeyRejected);
        let counted: Vec<_> =
            counters.read().into_iter().filter(|(.., count)| *count > 0).collect();
        assert_eq!(counted, [("NotificationHubKeyRejected", Stage::Send, 1)]);
    }
}
