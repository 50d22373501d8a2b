//! A send becomes a notification and its work: both are on disk before it is answered.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use delivery::NewDelivery;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::Value;

use super::order::{Format, Order, To, target};
use super::{QUEUE, journeys};
use crate::Platform;
use crate::date;
use crate::notification::{State, new_notification_id};
use crate::push::{apns, fcm};
use crate::refusal::{bad_request, not_found};
use crate::registry::HubEntry;
use crate::service::NotificationHubs;
use crate::store::NewNotification;
use crate::tag::TagExpression;
use crate::template::Properties;

const APNS_EXPIRATION: HeaderName = HeaderName::from_static("apns-expiration");
const APNS_PRIORITY: HeaderName = HeaderName::from_static("apns-priority");
const HUB_APNS_EXPIRY: HeaderName = HeaderName::from_static("servicebusnotification-apns-expiry");
const HUB_APNS_PRIORITY: HeaderName = HeaderName::from_static("x-apns-priority");

/// A send that lies further in the past is a mistake, not a clock that differs.
const LATE_SECS: i64 = 30;

/// A send as a client describes it.
#[derive(Clone, Debug)]
pub struct Send {
    /// What it is for.
    pub format: Format,
    /// Who it is for.
    pub to: To,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The payload.
    pub body: Bytes,
    /// When it shall go out; at once without.
    pub scheduled: Option<Timestamp>,
    /// The client's own id of the request, by which it is known when it comes again.
    pub request_id: Option<String>,
}

impl Send {
    /// Checks what can be known before any device is: the payload and the headers.
    pub(super) fn check(&mut self, hub: &HubEntry) -> Result<()> {
        self.headers = for_push_services(&self.headers)?;
        let text = std::str::from_utf8(&self.body).ok().filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| invalid_payload("it is empty or not UTF-8"))?;
        if text.contains('\0') {
            return Err(invalid_payload("it holds the character U+0000"));
        }
        let direct = matches!(self.to, To::Devices(_));
        let Format::Native(platform) = self.format else {
            if direct {
                return Err(bad_request(
                    "A direct send needs the payload of one platform; set \
                     ServiceBusNotification-Format to it, template is for registered devices.",
                ));
            }
            return Properties::parse(text).map(|_| ());
        };
        let usable = hub.route(platform).is_some_and(|route| route.is_usable());
        if direct && !usable {
            return Err(no_target(platform, hub.route(platform).is_some()));
        }
        match platform {
            Platform::Apple => {
                apns::Options::from_headers(&self.headers)?;
                must_be_object(text)
            }
            Platform::FcmV1 | Platform::Gcm => fcm::Message::parse(&self.body).map(|_| ()),
            Platform::Browser | Platform::Windows | Platform::Mpns => Ok(()),
            Platform::Adm | Platform::Baidu | Platform::Xiaomi => must_be_object(text),
        }
    }

    /// What tells a repeated request from another one: the client's id and everything it asks for.
    fn fingerprint(&self) -> Option<String> {
        let id = self.request_id.as_deref()?;
        let mut text =
            format!("{id}\n{}\n{:?}\n{:?}\n", self.format.as_str(), self.to, self.scheduled);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}:{value:?}\n"));
        }
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        let hash = digest(&SHA256, &bytes);
        Some(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl NotificationHubs {
    /// Takes a send; answers with the notification's id once it is on disk. A request that comes
    /// again within some minutes gets the id of the first.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with payload, headers, tags or time.
    pub(crate) async fn accept(&self, hub: &HubEntry, mut send: Send) -> Result<String> {
        send.check(hub)?;
        let now = self.now();
        let tags = match &send.to {
            To::Audience(Some(tags)) => {
                TagExpression::parse(tags)?;
                Some(tags.clone())
            }
            _ => None,
        };
        let due = send.scheduled.map(|at| check_time(at, now)).transpose()?;
        let fingerprint = send.fingerprint();
        let id = new_notification_id(now);
        let notification = NewNotification {
            id: id.clone(),
            state: if due.is_some() { State::Scheduled } else { State::Enqueued },
            body: String::from_utf8_lossy(&send.body).into_owned(),
            tags,
            platforms: send.format.as_str().to_owned(),
        };
        let key = hub.hub.key;
        let deadline = due.unwrap_or(now) + self.settings().delivery_window;
        let order = Order::new(key, &id, send.format, &send.headers, send.to, deadline);
        let work = self.work(&order, due);
        let mut statements = vec![self.store().insert_notification(key, &notification, now)];
        if let Some(request) = &fingerprint {
            statements.push(self.store().remember_request(key, request, &id, now));
        }
        statements.extend(self.deliveries().enqueue(std::slice::from_ref(&work)));
        match self.store().db().write(statements).await {
            Ok(_) => {
                let name = hub.hub.name.as_str();
                journeys::accepted(name, &id, send.format.as_str(), due.is_some());
                self.deliveries().accepted(std::slice::from_ref(&work));
                Ok(id)
            }
            Err(storage::Error::Duplicate(cause)) => {
                let before = match &fingerprint {
                    Some(request) => self.store().answer_of(key, request).await?,
                    None => None,
                };
                before.ok_or_else(|| storage::Error::Duplicate(cause).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a scheduled send back.
    ///
    /// # Errors
    /// `NotFound` when there is none, or its time has come.
    pub(crate) async fn cancel_scheduled(&self, hub: &HubEntry, id: &str) -> Result<()> {
        let (from, to) = (State::Scheduled, State::Canceled);
        let cancel = self.store().move_notification(hub.hub.key, id, from, to, self.now());
        let outcomes = self.store().db().write([cancel]).await?;
        if outcomes[0].affected == 1 {
            return Ok(());
        }
        Err(not_found(
            "No notification with this id waits for its time: it was sent or cancelled already, or \
             the id is of another notification hub.",
        ))
    }

    /// An order as work for the queue. The queue keeps it for longer than anybody is tried, so that
    /// the courier has the last word.
    pub(super) fn work(&self, order: &Order, not_before: Option<Timestamp>) -> NewDelivery {
        NewDelivery {
            id: self.deliveries().next_id(),
            queue: QUEUE,
            target: target(order.hub_key(), order.format()),
            order_key: None,
            payload: serde_json::to_vec(order).expect("texts and numbers are JSON"),
            not_before,
            time_to_live: self.settings().delivery_window * 48,
            max_attempts: u32::MAX,
        }
    }
}

/// The headers that matter to a push service, under the names that it has for them.
fn for_push_services(headers: &HeaderMap) -> Result<HeaderMap> {
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        let wanted = text.starts_with("apns-")
            || text.starts_with("x-wns-")
            || matches!(text, "ttl" | "urgency" | "topic");
        if wanted && value.to_str().is_ok() {
            kept.insert(name.clone(), value.clone());
        }
    }
    if let Some(value) = headers.get(&HUB_APNS_PRIORITY) {
        kept.entry(APNS_PRIORITY).or_insert(value.clone());
    }
    if let Some(value) = headers.get(&HUB_APNS_EXPIRY) {
        let text = value.to_str().unwrap_or_default();
        let moment = date::parse(text).ok_or_else(|| {
            bad_request("The header ServiceBusNotification-Apns-Expiry is no date.")
        })?;
        kept.entry(APNS_EXPIRATION).or_insert(moment.as_secs().max(0).into());
    }
    Ok(kept)
}

fn must_be_object(text: &str) -> Result<()> {
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(invalid_payload("it is no JSON object")),
        Err(cause) => Err(invalid_payload(&format!("it is no JSON ({cause})"))),
    }
}

fn invalid_payload(problem: &str) -> Error {
    bad_request(format!("The supplied notification payload is invalid: {problem}."))
}

fn no_target(platform: Platform, has_credential: bool) -> Error {
    let cure = if !platform.has_sender() {
        platform.without_sender()
    } else if has_credential {
        "The credential of the notification hub for it cannot be used; `tidings push fix` says why."
            .to_owned()
    } else {
        "Give the notification hub a credential for it.".to_owned()
    };
    bad_request(format!(
        "The notification has no target applications. The notification format is {}. {cure}",
        platform.format()
    ))
}

fn check_time(at: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if at.as_secs() + LATE_SECS >= now.as_secs() {
        return Ok(at);
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "40000",
        format!(
            "ServiceBusNotification-ScheduleTime is {} seconds ago by the server's clock. Give a time \
             to come, in UTC.",
            now.since(at).as_secs()
        ),
    ))
}
