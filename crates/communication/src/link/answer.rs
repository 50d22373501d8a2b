//! What a hub's answer to a send means. Pure.
//!
//! Statuses and sentences are those of Notification Hubs, which says in its `Detail` what the status
//! leaves open.

use std::time::Duration;

use super::fault::{Fault, FaultKind};

/// What became of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The hub took it.
    Accepted,
    /// The platform does not know the device any more.
    DeviceGone,
    /// The hub or the platform does not take this payload, ever.
    Refused(String),
    /// It may work later, perhaps after so long a time.
    Busy(String, Option<Duration>),
    /// Something is wrong with the link.
    Fault(Fault),
}

/// Longest part of an answer that is kept.
const MAX_DETAIL: usize = 300;

/// Judges an answer; `format` is the platform that was meant.
pub(crate) fn judge(status: u16, retry_after: Option<Duration>, body: &[u8], format: &str) -> Sent {
    let body = String::from_utf8_lossy(body);
    let detail = || match element(&body, "Detail") {
        Some(detail) => cut(detail),
        None => format!("the hub answered {status}"),
    };
    let fault = |kind| Sent::Fault(Fault::new(kind, detail()));
    match status {
        200..=299 => outcome(&body, format),
        401 => fault(FaultKind::KeyRejected),
        // Azure throttles with 403, too; only then does it say when to come back.
        403 if retry_after.is_some() => Sent::Busy(detail(), retry_after),
        403 => fault(FaultKind::SendRightMissing),
        404 => fault(FaultKind::HubNotFound),
        400 if body.contains("no target applications") => {
            let detail = format!("the hub has no credentials for {format}");
            Sent::Fault(Fault::new(FaultKind::CredentialsMissing, detail))
        }
        400 | 413 => Sent::Refused(detail()),
        408 | 429 | 500..=599 => Sent::Busy(detail(), retry_after),
        // No hub says that, so whoever answers is none.
        _ => fault(FaultKind::Unreachable),
    }
}

/// The outcome for the one device of a test send; other sends are taken without any.
fn outcome(body: &str, format: &str) -> Sent {
    let Some(outcome) = element(body, "Outcome") else { return Sent::Accepted };
    let lower = outcome.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["successfully"]) {
        return Sent::Accepted;
    }
    // The platform knows the sender, or it would not speak about the device.
    if says(&["handle", "registration is invalid", "channel"]) {
        return Sent::DeviceGone;
    }
    if says(&["token", "credential", "certificate", "unauthorized", "forbidden"]) {
        let detail = format!("{format}: {}", cut(outcome));
        return Sent::Fault(Fault::new(FaultKind::CredentialsRejected, detail));
    }
    if says(&["payload", "size"]) {
        return Sent::Refused(cut(outcome));
    }
    Sent::Busy(cut(outcome), None)
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(status: u16, detail: &str) -> Option<FaultKind> {
        let body = format!("<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>");
        match judge(status, None, body.as_bytes(), "apple") {
            Sent::Fault(fault) => Some(fault.kind),
            _ => None,
        }
    }

    #[test]
    fn each_fault_is_told_by_its_status_or_detail() {
        let missing = "The notification has no target applications. The notification format is x.";
        for (status, detail, expected) in [
            (401, "InvalidSignature: The token has an invalid signature.", FaultKind::KeyRejected),
            (403, "", FaultKind::SendRightMissing),
            (404, "No service is hosted at the specified address.", FaultKind::HubNotFound),
            (400, missing, FaultKind::CredentialsMissing),
            (302, "", FaultKind::Unreachable),
        ] {
            assert_eq!(kind(status, detail), Some(expected), "{status}");
        }
    }

    #[test]
    fn what_may_pass_is_no_fault() {
        let pause = Some(Duration::from_secs(7));
        for status in [403, 429, 503] {
            let sent = judge(status, pause, b"", "apple");
            assert!(matches!(sent, Sent::Busy(_, Some(_))), "{status}: {sent:?}");
        }
        assert!(matches!(judge(500, None, b"", "apple"), Sent::Busy(_, None)));
        assert!(matches!(judge(400, None, b"", "apple"), Sent::Refused(_)));
        assert_eq!(judge(201, None, b"", "apple"), Sent::Accepted);
    }

    #[test]
    fn a_test_send_tells_what_the_platform_said() {
        let of = |outcome: &str| {
            let body =
                format!("<NotificationOutcome><Outcome>{outcome}</Outcome></NotificationOutcome>");
            judge(201, None, body.as_bytes(), "apple")
        };
        assert_eq!(
            of("The Notification was successfully sent to the Push Notification System"),
            Sent::Accepted
        );
        let gone = "The Push Notification System handle for the registration is invalid";
        assert_eq!(of(gone), Sent::DeviceGone);
        let Sent::Fault(fault) = of("The Token obtained from the Token Provider is wrong") else {
            panic!("no fault")
        };
        assert_eq!(fault.kind, FaultKind::CredentialsRejected);
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 100_u16..1000, body: Vec<u8>) {
            let _ = judge(status, None, &body, "apple");
        }
    }
}
