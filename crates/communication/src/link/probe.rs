//! The questions that a link is asked before it is made, and what the answers mean.
//!
//! A hub tells over its data plane whether it exists, whether the key holds and may send, and whether
//! it has credentials: a test send to a device that cannot exist is answered with what the platform
//! says about the sender. How the hub reaches APNs is told only by who keeps the hub; what is kept by
//! somebody else, such as Azure, cannot be asked.

use bytes::Bytes;

use super::answer::Sent;
use super::fault::{Fault, FaultKind};
use super::hub::{Hub, Push};
use super::links::Link;

/// The push systems that carry pushes of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Apple.
    Apns,
    /// Google.
    Fcm,
}

impl Platform {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Apns, Self::Fcm];

    /// As hubs call it.
    pub const fn format(self) -> &'static str {
        match self {
            Self::Apns => "apple",
            Self::Fcm => "fcmv1",
        }
    }

    /// The platform of a format.
    pub fn of_format(format: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.format() == format)
    }
}

/// How a hub proves itself to APNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApnsMode {
    /// With a signed token: the only way that carries pushes of this service.
    Token,
    /// With a certificate.
    Certificate,
}

/// What is known of a hub beside what its data plane says. The program gives it.
pub trait HubDirectory: Send + Sync + 'static {
    /// How the hub that a link opens proves itself to APNs; `None` where that is unknown, such as for a
    /// hub of somebody else that has the same name.
    fn apns_mode(&self, link: &Link) -> Option<ApnsMode>;
}

/// Knows of no hub.
#[derive(Clone, Copy, Debug)]
pub struct NoDirectory;

impl HubDirectory for NoDirectory {
    fn apns_mode(&self, _: &Link) -> Option<ApnsMode> {
        None
    }
}

/// What a hub answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// To a test send of each platform.
    pub platforms: Vec<(Platform, Sent)>,
    /// How it proves itself to APNs, where that is known.
    pub apns: Option<ApnsMode>,
}

/// Asks a hub.
pub(crate) async fn ask(hub: &Hub, directory: &dyn HubDirectory, link: &Link) -> Report {
    let mut platforms = Vec::new();
    for platform in Platform::ALL {
        platforms.push((platform, hub.test(link, &nobody(platform)).await));
    }
    Report { platforms, apns: directory.apns_mode(link) }
}

/// A push to a device that cannot exist.
fn nobody(platform: Platform) -> Push {
    let (handle, body) = match platform {
        Platform::Apns => ("0".repeat(64), r#"{"aps":{"content-available":1}}"#),
        Platform::Fcm => ("tidings-link-check".to_owned(), r#"{"message":{"data":{}}}"#),
    };
    Push { platform, handle, body: Bytes::from_static(body.as_bytes()), headers: &[] }
}

/// What speaks against sending to Apple.
pub(crate) fn apns_fault(mode: Option<ApnsMode>) -> Option<Fault> {
    let detail = "the hub proves itself to APNs with a certificate";
    (mode == Some(ApnsMode::Certificate))
        .then(|| Fault::new(FaultKind::ApnsCertificateMode, detail))
}

/// What a report means: whatever is wrong, and whether that speaks against the link. One platform
/// without credentials does not, since not every application runs on both.
pub fn findings(report: &Report) -> (Vec<Fault>, bool) {
    let mut faults: Vec<Fault> = Vec::new();
    for (platform, sent) in &report.platforms {
        let fault = match sent {
            // The device does not exist, so the platform's refusal of it is good news.
            Sent::Accepted | Sent::DeviceGone | Sent::Refused(_) => continue,
            Sent::Busy(why, _) => Fault::new(FaultKind::Unreachable, why.clone()),
            Sent::Fault(fault) => fault.clone(),
        };
        let of_platform =
            matches!(fault.kind, FaultKind::CredentialsMissing | FaultKind::CredentialsRejected);
        if of_platform || faults.iter().all(|it| it.kind != fault.kind) {
            tracing::debug!(platform = platform.format(), %fault, "a hub has a fault");
            faults.push(if of_platform { fault.of(*platform) } else { fault });
        }
    }
    faults.extend(apns_fault(report.apns));
    let missing = |it: &&Fault| it.kind == FaultKind::CredentialsMissing;
    let without = faults.iter().filter(missing).count();
    let against = faults.len() > without || without == report.platforms.len();
    (faults, against)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(apple: Sent, fcm: Sent, apns: Option<ApnsMode>) -> Report {
        Report { platforms: vec![(Platform::Apns, apple), (Platform::Fcm, fcm)], apns }
    }

    fn fault(kind: FaultKind) -> Sent {
        Sent::Fault(Fault::new(kind, "x"))
    }

    fn kinds(report: &Report) -> (Vec<FaultKind>, bool) {
        let (faults, against) = findings(report);
        (faults.into_iter().map(|it| it.kind).collect(), against)
    }

    #[test]
    fn a_good_hub_has_no_findings() {
        let good = report(Sent::DeviceGone, Sent::Accepted, Some(ApnsMode::Token));
        assert_eq!(kinds(&good), (vec![], false));
    }

    #[test]
    fn a_fault_of_the_whole_hub_is_told_once_and_speaks_against_it() {
        for kind in [
            FaultKind::Unreachable,
            FaultKind::HubNotFound,
            FaultKind::KeyRejected,
            FaultKind::SendRightMissing,
        ] {
            assert_eq!(kinds(&report(fault(kind), fault(kind), None)), (vec![kind], true));
        }
    }

    #[test]
    fn one_platform_without_credentials_is_told_and_two_speak_against_the_hub() {
        let missing = || fault(FaultKind::CredentialsMissing);
        let one = report(missing(), Sent::DeviceGone, None);
        assert_eq!(kinds(&one), (vec![FaultKind::CredentialsMissing], false));
        assert_eq!(kinds(&report(missing(), missing(), None)).0.len(), 2);
        assert!(kinds(&report(missing(), missing(), None)).1);
    }

    #[test]
    fn credentials_that_are_refused_and_certificates_speak_against_the_hub() {
        let refused = report(fault(FaultKind::CredentialsRejected), Sent::DeviceGone, None);
        assert_eq!(kinds(&refused), (vec![FaultKind::CredentialsRejected], true));
        let certificate = report(Sent::Accepted, Sent::Accepted, Some(ApnsMode::Certificate));
        assert_eq!(kinds(&certificate), (vec![FaultKind::ApnsCertificateMode], true));
    }
}
