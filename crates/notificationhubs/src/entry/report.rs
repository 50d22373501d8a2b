//! What became of notifications, and why a request was refused.

use std::fmt::Write as _;

use kernel::Timestamp;

use super::{SCHEMA_INSTANCE, SERVICE_BUS};
use crate::notification::State;
use crate::xml::{push_close, push_element, push_open, push_optional};
use crate::{Platform, date};

/// One device of a test send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The platform, or `template` and the platform in the service's words.
    pub platform: String,
    /// The handle's address.
    pub handle: String,
    /// The registration's id; a direct send has none, and clients need an element even so.
    pub registration_id: String,
    /// The outcome as a sentence.
    pub outcome: String,
}

/// What is told of one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The id of the send.
    pub id: String,
    /// Its address, with the scheme `sb`.
    pub location: String,
    /// How far it is.
    pub state: State,
    /// When it was taken.
    pub enqueued_at: Timestamp,
    /// When the first device was tried.
    pub started_at: Option<Timestamp>,
    /// When the last one was settled.
    pub ended_at: Option<Timestamp>,
    /// The payload as it was sent.
    pub body: String,
    /// The tag expression.
    pub tags: Option<String>,
    /// The platforms, with commas between them.
    pub target_platforms: String,
    /// How many devices came to which outcome.
    pub counts: Vec<(Platform, Vec<(String, u64)>)>,
    /// Where refusals of push services can be read.
    pub errors_url: Option<String>,
}

/// One refusal of a push service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// When it came.
    pub at: Timestamp,
    /// The service's name of the error, such as `ExpiredChannel`.
    pub error: String,
    /// The platform.
    pub platform: Platform,
    /// The handle's address.
    pub handle: String,
    /// The registration's id, if there was one.
    pub registration_id: Option<String>,
    /// The installation's id, if there was one.
    pub installation_id: Option<String>,
    /// The send.
    pub notification_id: Option<String>,
    /// The handle that the push service named instead.
    pub new_handle: Option<String>,
}

/// The answer to a test send.
pub fn write_outcome(success: u64, failure: u64, results: &[TestResult]) -> String {
    let mut out = String::new();
    write!(
        out,
        "<NotificationOutcome xmlns=\"{SERVICE_BUS}\" xmlns:i=\"{SCHEMA_INSTANCE}\">\
         <Success>{success}</Success><Failure>{failure}</Failure>"
    )
    .expect("a string takes everything");
    // The JavaScript client needs the element even when it is empty.
    push_open(&mut out, "Results");
    for result in results {
        push_open(&mut out, "RegistrationResult");
        push_element(&mut out, "ApplicationPlatform", &result.platform);
        push_element(&mut out, "PnsHandle", &result.handle);
        push_element(&mut out, "RegistrationId", &result.registration_id);
        push_element(&mut out, "Outcome", &result.outcome);
        push_close(&mut out, "RegistrationResult");
    }
    push_close(&mut out, "Results");
    push_close(&mut out, "NotificationOutcome");
    out
}

/// The telemetry of one notification.
pub fn write_details(details: &Details) -> String {
    let mut out = String::new();
    write!(out, "<NotificationDetails xmlns=\"{SERVICE_BUS}\" xmlns:i=\"{SCHEMA_INSTANCE}\">")
        .expect("a string takes everything");
    push_element(&mut out, "NotificationId", &details.id);
    push_element(&mut out, "Location", &details.location);
    push_element(&mut out, "State", details.state.as_str());
    push_element(&mut out, "EnqueueTime", &date::with_millis(details.enqueued_at));
    let moment = |moment: Option<Timestamp>| moment.map(date::with_millis);
    push_optional(&mut out, "StartTime", moment(details.started_at).as_deref());
    push_optional(&mut out, "EndTime", moment(details.ended_at).as_deref());
    push_element(&mut out, "NotificationBody", &details.body);
    push_optional(&mut out, "Tags", details.tags.as_deref());
    push_optional(&mut out, "TargetPlatforms", Some(&details.target_platforms));
    use Platform as P;
    push_counts(&mut out, details, &[P::Apple, P::Mpns, P::Windows, P::Gcm, P::Adm]);
    push_optional(&mut out, "PnsErrorDetailsUri", details.errors_url.as_deref());
    push_counts(&mut out, details, &[P::FcmV1, P::Baidu, P::Browser, P::Xiaomi]);
    push_close(&mut out, "NotificationDetails");
    out
}

/// Counts of some platforms, in this order; one without any is left out, as the JavaScript client
/// takes an empty list for one outcome without a name.
fn push_counts(out: &mut String, details: &Details, platforms: &[Platform]) {
    for platform in platforms {
        let counts = details.counts.iter().filter(|(own, _)| own == platform);
        let counts: Vec<_> = counts.flat_map(|(_, counts)| counts).filter(|it| it.1 > 0).collect();
        if counts.is_empty() {
            continue;
        }
        let name = format!("{}OutcomeCounts", platform.outcome_prefix());
        push_open(out, &name);
        for (outcome, count) in counts {
            push_open(out, "Outcome");
            push_element(out, "Name", outcome);
            push_element(out, "Count", &count.to_string());
            push_close(out, "Outcome");
        }
        push_close(out, &name);
    }
}

/// One line of a feedback file.
pub fn write_feedback(feedback: &Feedback) -> String {
    let mut out = String::new();
    write!(out, "<PnsFeedback xmlns:i=\"{SCHEMA_INSTANCE}\" xmlns=\"{SERVICE_BUS}\">")
        .expect("a string takes everything");
    push_element(&mut out, "FeedbackTime", &date::with_millis(feedback.at));
    push_element(&mut out, "NotificationSystemError", &feedback.error);
    push_element(&mut out, "Platform", feedback.platform.format());
    push_element(&mut out, "PnsHandle", &feedback.handle);
    push_optional(&mut out, "RegistrationId", feedback.registration_id.as_deref());
    push_optional(&mut out, "InstallationId", feedback.installation_id.as_deref());
    push_optional(&mut out, "NotificationId", feedback.notification_id.as_deref());
    push_optional(&mut out, "NewPnsHandle", feedback.new_handle.as_deref());
    push_close(&mut out, "PnsFeedback");
    out
}

/// A refusal: the status, the sentence, and what finds the request in the log.
pub fn write_error(status: u16, message: &str, tracking_id: &str, now: Timestamp) -> String {
    let mut out = String::new();
    push_open(&mut out, "Error");
    push_element(&mut out, "Code", &status.to_string());
    let time = date::with_half_days(now);
    let detail = format!("{message}.TrackingId:{tracking_id},TimeStamp:{time}");
    push_element(&mut out, "Detail", &detail.replace("..TrackingId", ".TrackingId"));
    push_close(&mut out, "Error");
    out
}
