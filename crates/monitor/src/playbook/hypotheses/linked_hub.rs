//! What several hypotheses ask of the linked hub: whether it shows a fault just now, whether a send
//! found it, whether linking was refused for it.

use kernel::Stage;

use crate::playbook::facts::{Facts, Fault, Found, HubCheck, LinkedHub};
use crate::playbook::report::Evidence;
use crate::playbook::words::{count, when};

use super::{known, with_journey};

/// Codes of faults, as linking and metrics name them.
pub(super) mod code {
    pub(in super::super) const CONNECTION_STRING: &str = "InvalidHubConnectionString";
    pub(in super::super) const RESOURCE_ID: &str = "InvalidHubResourceId";
    pub(in super::super) const UNREACHABLE: &str = "NotificationHubUnreachable";
    pub(in super::super) const NOT_FOUND: &str = "NotificationHubNotFound";
    pub(in super::super) const KEY_REJECTED: &str = "NotificationHubKeyRejected";
    pub(in super::super) const SEND_RIGHT_MISSING: &str = "NotificationHubSendRightMissing";
    pub(in super::super) const CREDENTIALS_MISSING: &str = "NotificationHubCredentialsMissing";
    pub(in super::super) const CREDENTIALS_REJECTED: &str = "NotificationHubCredentialsRejected";
    pub(in super::super) const APNS_CERTIFICATE: &str = "NotificationHubApnsCertificateMode";
}

/// What speaks for one of these faults. What the hub says now counts for more than what a send found
/// before, and a refused link only while there is none.
pub(super) fn evidence(facts: &Facts, codes: &[&str]) -> Found<Vec<Evidence>> {
    evidence_where(facts, codes, |_| true)
}

/// The same of those faults alone that are `meant`.
pub(super) fn evidence_where(
    facts: &Facts,
    codes: &[&str],
    meant: impl Fn(&Fault) -> bool,
) -> Found<Vec<Evidence>> {
    let link = known(&facts.link)?;
    let Some(hub) = &link.hub else {
        let refused = link.refused_with(codes);
        let text = format!(
            "Linking was refused for it: {} since the server was started ({}).",
            count(refused, "time"),
            codes.join(", ")
        );
        return Ok((refused > 0).then(|| Evidence::observed(text)).into_iter().collect());
    };
    let is_of = |fault: &&Fault| codes.contains(&fault.code.as_str()) && meant(fault);
    let mut evidence = Vec::new();
    if let HubCheck::Asked(faults) = &hub.check {
        evidence.extend(faults.iter().filter(is_of).map(|fault| {
            let Fault { code, detail, .. } = fault;
            Evidence::measured(format!("The hub {} answers just now: {detail} ({code}).", hub.id))
        }));
        if evidence.is_empty() {
            return Ok(evidence);
        }
    }
    evidence.extend(found_by_a_send(hub, codes, facts));
    Ok(with_journey(evidence, facts, ("push", Stage::HubAccepted), codes))
}

fn found_by_a_send(hub: &LinkedHub, codes: &[&str], facts: &Facts) -> Option<Evidence> {
    let (fault, at) = hub.last_fault.as_ref()?;
    codes.contains(&fault.code.as_str()).then(|| {
        let Fault { code, detail, .. } = fault;
        let at = when(*at, facts.now);
        Evidence::observed(format!("Sends fail for it since {at}: {detail} ({code})."))
    })
}

/// What is said when nothing speaks for a fault.
pub(super) fn fine(facts: &Facts) -> Evidence {
    match facts.link.as_ref().ok().and_then(|link| link.hub.as_ref()) {
        None => Evidence::observed("No hub is linked to the Communication resource."),
        Some(LinkedHub { id, check: HubCheck::Asked(_), .. }) => {
            Evidence::measured(format!("The hub {id} takes sends and says nothing of the kind."))
        }
        Some(LinkedHub { id, check: HubCheck::NotAsked(why), .. }) => {
            Evidence::observed(format!("No send found it; the hub {id} was not asked: {why}."))
        }
    }
}
