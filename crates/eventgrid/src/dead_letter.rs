//! What is kept of an event that could not be delivered: the event, and how it ended.
//!
//! Event Grid's form has camelCase names, CloudEvents lower-case ones, as extension attributes have
//! to be; a custom event is put into Event Grid's envelope. A file holds a JSON array.

use bytes::Bytes;
use kernel::Timestamp;

use crate::calendar::{rfc3339, utc};
use crate::event::{DeliverySchema, Event, Object, array_of};
use crate::outcome::Outcome;

/// Why an event was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// As many attempts as the subscription allows.
    MaxDeliveryAttemptsExceeded,
    /// Older than the subscription allows.
    TimeToLiveExceeded,
    /// An answer after which no attempt can succeed.
    UndeliverableDueToClientError,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::MaxDeliveryAttemptsExceeded,
        Self::TimeToLiveExceeded,
        Self::UndeliverableDueToClientError,
    ];

    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxDeliveryAttemptsExceeded => "MaxDeliveryAttemptsExceeded",
            Self::TimeToLiveExceeded => "TimeToLiveExceeded",
            Self::UndeliverableDueToClientError => "UndeliverableDueToClientError",
        }
    }
}

/// How the deliveries of an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why it was given up.
    pub reason: Reason,
    /// Attempts that were made.
    pub attempts: u32,
    /// What the last attempt ended with.
    pub last_outcome: Outcome,
    /// When the last attempt was made; there may have been none.
    pub last_attempt: Option<Timestamp>,
}

/// The record of an event that was to be delivered in `schema`: one JSON object.
pub fn record(event: &Event, schema: DeliverySchema, ending: &Ending) -> Bytes {
    let cloud_event = event.encode(DeliverySchema::CloudEvents);
    let (mut object, names) = match cloud_event {
        Some(encoded) if schema == DeliverySchema::CloudEvents => {
            (Object::extending(&encoded), LOWER_CASE)
        }
        // A CloudEvent is always delivered as one, so here is something else.
        Some(_) | None => (event.as_event_grid(), CAMEL_CASE),
    };
    object.text(names[0], ending.reason.name());
    object.raw(names[1], &ending.attempts.to_string());
    object.text(names[2], ending.last_outcome.name());
    object.text(names[3], &rfc3339(event.accepted()));
    if let Some(moment) = ending.last_attempt {
        object.text(names[4], &rfc3339(moment));
    }
    object.finish()
}

const CAMEL_CASE: [&str; 5] = [
    "deadLetterReason",
    "deliveryAttempts",
    "lastDeliveryOutcome",
    "publishTime",
    "lastDeliveryAttemptTime",
];

const LOWER_CASE: [&str; 5] = [
    "deadletterreason",
    "deliveryattempts",
    "lastdeliveryoutcome",
    "publishtime",
    "lastdeliveryattempttime",
];

/// The content of a file of records.
pub fn file(records: &[Bytes]) -> Bytes {
    array_of(records)
}

/// Where a file of records goes, below the container: `TOPIC/SUBSCRIPTION/2026/1/31/9/<id>.json`, by
/// the hour in UTC. Every part is a plain name, whatever the topic is called.
pub fn path(topic: &str, subscription: &str, written: Timestamp, id: &str) -> String {
    let moment = utc(written);
    format!(
        "{}/{}/{}/{}/{}/{}/{}.json",
        segment(&topic.to_uppercase()),
        segment(&subscription.to_uppercase()),
        moment.year(),
        moment.month(),
        moment.day(),
        moment.hour(),
        segment(id)
    )
}

fn segment(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    if name.is_empty() { "-".to_owned() } else { name.chars().map(plain).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use testkit::golden;

    use super::*;
    use crate::event::samples;

    #[test]
    fn files_are_sorted_by_the_hour() {
        let written = Timestamp::from_secs(1_769_850_000);
        assert_eq!(
            path("orders", "To-Billing", written, "17"),
            "ORDERS/TO-BILLING/2026/1/31/9/17.json"
        );
    }

    #[test]
    fn records_hold_the_event_and_how_it_ended() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/golden/dead_letters.txt");
        golden::check(path, |line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let event = samples::event(case["in"].as_str().unwrap(), &case["event"]);
            let schema = DeliverySchema::parse(case["out"].as_str().unwrap()).unwrap();
            let reason = |reason: &Reason| reason.name() == case["reason"];
            let ending = Ending {
                reason: Reason::ALL.into_iter().find(reason).unwrap(),
                attempts: 2,
                last_outcome: Outcome::NotFound,
                last_attempt: case["attempted"].as_i64().map(Timestamp::from_secs),
            };
            let file = file(&[record(&event, schema, &ending)]);
            assert!(serde_json::from_slice::<Value>(&file).unwrap()[0].is_object());
            String::from_utf8(file.to_vec()).unwrap()
        });
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let path = path("../..", "a/b\\c", Timestamp::default(), "");
        assert_eq!(path, "-----/A-B-C/1970/1/1/0/-.json");
    }
}
