//! What arrived: a ring that forgets the oldest, and a way to wait for what is to come.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kernel::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::Service;

/// What the ring holds at most.
const MAX_COUNT: usize = 10_000;
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What an entry takes beside its texts, roughly.
const ENTRY_BYTES: usize = 200;

/// One notification, as its service took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Counts from 1, over all services.
    pub sequence: u64,
    /// Which service took it.
    pub service: Service,
    /// The device token, registration token, or the id of the browser's subscription.
    pub device: Box<str>,
    /// The id that the service gave it.
    pub id: Box<str>,
    /// What the sender said about it; no credentials.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The payload; of a browser's, what it decrypts to.
    pub payload: Bytes,
    /// When it arrived.
    pub time: Timestamp,
}

impl Received {
    fn bytes(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        ENTRY_BYTES + self.device.len() + self.id.len() + headers + self.payload.len()
    }

    /// As the inbox shows it: a payload that is JSON as JSON, any other as text.
    pub fn to_json(&self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(&**value)))
            .collect();
        let text = || Value::from(String::from_utf8_lossy(&self.payload).into_owned());
        let payload = serde_json::from_slice(&self.payload).unwrap_or_else(|_| text());
        let time = jiff::Timestamp::from_microsecond(self.time.as_micros()).unwrap_or_default();
        json!({
            "sequence": self.sequence,
            "service": self.service,
            "device": &*self.device,
            "id": &*self.id,
            "headers": headers,
            "payload": payload,
            "time": time.to_string(),
        })
    }
}

/// Which notifications are meant. Every part that is given has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this service.
    pub service: Option<Service>,
    /// For this device.
    pub device: Option<String>,
    /// With this text in the payload.
    pub contains: Option<String>,
    /// After this sequence number.
    pub after: u64,
    /// No more than this; the oldest of those that fit.
    pub limit: Option<usize>,
}

impl Query {
    fn fits(&self, it: &Received) -> bool {
        it.sequence > self.after
            && self.service.is_none_or(|service| service == it.service)
            && self.device.as_deref().is_none_or(|device| device == &*it.device)
            && self.contains.as_deref().is_none_or(|text| has(&it.payload, text.as_bytes()))
    }
}

fn has(payload: &[u8], text: &[u8]) -> bool {
    text.is_empty() || payload.windows(text.len()).any(|part| part == text)
}

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What fits, the oldest first.
    pub notifications: Vec<Received>,
    /// The sequence number of the latest notification, whether it fits or not.
    pub last: u64,
    /// How many were forgotten for want of room since the start.
    pub forgotten: u64,
}

/// The ring.
#[derive(Debug)]
pub struct Inbox {
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Received>,
    bytes: usize,
    last: u64,
    forgotten: u64,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { ring: Mutex::default(), latest: watch::Sender::new(0) }
    }
}

impl Inbox {
    /// Takes a notification and gives it its number.
    pub fn push(&self, mut received: Received) {
        let mut ring = self.ring();
        ring.last += 1;
        received.sequence = ring.last;
        ring.bytes += received.bytes();
        ring.entries.push_back(received);
        while ring.entries.len() > MAX_COUNT || ring.bytes > MAX_BYTES {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.bytes -= oldest.bytes();
            ring.forgotten += 1;
        }
        let last = ring.last;
        drop(ring);
        self.latest.send_replace(last);
    }

    /// What is there now.
    pub fn find(&self, query: &Query) -> Found {
        let ring = self.ring();
        let fitting = ring.entries.iter().filter(|it| query.fits(it));
        let limit = query.limit.unwrap_or(usize::MAX);
        Found {
            notifications: fitting.take(limit).cloned().collect(),
            last: ring.last,
            forgotten: ring.forgotten,
        }
    }

    /// What is there as soon as at least `count` fit, or what does after `patience`.
    pub async fn wait(&self, query: &Query, count: usize, patience: Duration) -> Found {
        // Subscribed before the first look, so that nothing slips in between.
        let mut latest = self.latest.subscribe();
        let arrived = async {
            loop {
                let found = self.find(query);
                if found.notifications.len() >= count || latest.changed().await.is_err() {
                    return found;
                }
            }
        };
        match tokio::time::timeout(patience, arrived).await {
            Ok(found) => found,
            Err(_) => self.find(query),
        }
    }

    /// Forgets everything; numbers go on.
    pub fn clear(&self) {
        let mut ring = self.ring();
        ring.entries.clear();
        ring.bytes = 0;
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn received(service: Service, device: &str, payload: &str) -> Received {
        Received {
            sequence: 0,
            service,
            device: device.into(),
            id: "id".into(),
            headers: vec![("apns-topic".into(), "app".into())],
            payload: Bytes::from(payload.to_owned()),
            time: Timestamp::from_secs(1_700_000_000),
        }
    }

    fn sequences(found: &Found) -> Vec<u64> {
        found.notifications.iter().map(|it| it.sequence).collect()
    }

    #[test]
    fn notifications_are_found_by_service_device_text_and_number() {
        let inbox = Inbox::default();
        inbox.push(received(Service::Apns, "a", "hello"));
        inbox.push(received(Service::Fcm, "a", "hello"));
        inbox.push(received(Service::Apns, "b", "world"));
        let all = Query::default();
        for (query, expected) in [
            (all.clone(), vec![1, 2, 3]),
            (Query { service: Some(Service::Apns), ..all.clone() }, vec![1, 3]),
            (Query { device: Some("a".to_owned()), ..all.clone() }, vec![1, 2]),
            (Query { contains: Some("orl".to_owned()), ..all.clone() }, vec![3]),
            (Query { after: 2, ..all.clone() }, vec![3]),
            (Query { limit: Some(2), ..all }, vec![1, 2]),
        ] {
            assert_eq!(sequences(&inbox.find(&query)), expected, "{query:?}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_by_number_and_by_size() {
        let inbox = Inbox::default();
        for _ in 0..=MAX_COUNT {
            inbox.push(received(Service::Apns, "a", "x"));
        }
        let found = inbox.find(&Query::default());
        assert_eq!((found.notifications.len(), found.forgotten), (MAX_COUNT, 1));
        inbox.push(received(Service::Apns, "a", &"x".repeat(MAX_BYTES - 1000)));
        let found = inbox.find(&Query::default());
        assert!(found.notifications.len() < 10, "{}", found.notifications.len());
        let held: usize = found.notifications.iter().map(Received::bytes).sum();
        assert!(held <= MAX_BYTES);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_notification_that_fits() {
        let inbox = Arc::new(Inbox::default());
        let waiting = Arc::clone(&inbox);
        let query = Query { device: Some("b".to_owned()), ..Query::default() };
        let waiter =
            tokio::spawn(async move { waiting.wait(&query, 2, Duration::from_secs(3600)).await });
        for device in ["b", "a", "b"] {
            inbox.push(received(Service::Apns, device, "x"));
            tokio::task::yield_now().await;
        }
        assert_eq!(sequences(&waiter.await.unwrap()), [1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_in_vain_ends_with_what_there_is() {
        let inbox = Inbox::default();
        inbox.push(received(Service::Apns, "a", "x"));
        let found = inbox.wait(&Query::default(), 2, Duration::from_secs(30)).await;
        assert_eq!(sequences(&found), [1]);
        inbox.clear();
        assert_eq!(inbox.find(&Query::default()).last, 1, "numbers go on");
    }

    #[test]
    fn a_payload_is_shown_as_json_when_it_is() {
        let json = received(Service::WebPush, "a", r#"{"a":1}"#).to_json();
        assert_eq!(json["payload"]["a"], 1);
        assert_eq!(json["time"], "2023-11-14T22:13:20Z");
        assert_eq!(json["service"], "webpush");
        assert_eq!(json["headers"]["apns-topic"], "app");
        assert_eq!(received(Service::WebPush, "a", "hi").to_json()["payload"], "hi");
    }
}
