//! Sends: native, template, to tags, to handles, later, and for a test.

use axum::http::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use kernel::Result;

use super::answer::{created, empty, put, with_body};
use super::{Call, multipart};
use crate::entry::{XML_TYPE, write_outcome};
use crate::refusal::bad_request;
use crate::send::{Device, Format, Send, To};
use crate::service::NotificationHubs;
use crate::{Handle, Platform, date};

const FORMAT: HeaderName = HeaderName::from_static("servicebusnotification-format");
const TAGS: HeaderName = HeaderName::from_static("servicebusnotification-tags");
const DEVICE_HANDLE: HeaderName = HeaderName::from_static("servicebusnotification-devicehandle");
const SCHEDULE_TIME: HeaderName = HeaderName::from_static("servicebusnotification-scheduletime");
const P256DH: HeaderName = HeaderName::from_static("p256dh");
const AUTH: HeaderName = HeaderName::from_static("auth");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

/// Handles of one batch.
const MAX_BATCH: usize = 1000;
/// Characters of a client's request id that are looked at.
const MAX_REQUEST_ID: usize = 128;

impl NotificationHubs {
    /// `POST /messages`
    pub(super) async fn send(&self, call: &Call) -> Result<Response> {
        let format = Format::parse(call.header(&FORMAT).as_deref())?;
        let to = if call.query.has("direct") || call.header(&DEVICE_HANDLE).is_some() {
            To::Devices(vec![device(call, format)?])
        } else {
            To::Audience(tags(call))
        };
        let send = new_send(call, format, to, call.body.clone());
        if !call.query.has("test") {
            let id = self.accept(&call.hub, send).await?;
            return Ok(created(&call.url(&format!("messages/{id}"))));
        }
        let tested = self.test_send(&call.hub, send).await?;
        let xml = write_outcome(tested.success, tested.failure, &tested.results);
        let mut response = with_body(XML_TYPE, xml);
        *response.status_mut() = StatusCode::CREATED;
        put(&mut response, LOCATION, &call.url(&format!("messages/{}", tested.id)));
        Ok(response)
    }

    /// `POST /messages/$batch`
    pub(super) async fn send_batch(&self, call: &Call) -> Result<Response> {
        let Format::Native(platform) = Format::parse(call.header(&FORMAT).as_deref())? else {
            return Err(bad_request(
                "A batch needs the payload of one platform; set ServiceBusNotification-Format.",
            ));
        };
        let content_type = call.header(&CONTENT_TYPE).unwrap_or_default();
        let batch = multipart::parse(&content_type, &call.body)?;
        let handles = multipart::handles(batch.devices, MAX_BATCH)?;
        let device = |text: &String| Ok(Device::of(&Handle::new(platform, text)?));
        let devices = handles.iter().map(device).collect::<Result<_>>()?;
        let body = call.body.slice_ref(batch.notification);
        let send = new_send(call, Format::Native(platform), To::Devices(devices), body);
        let id = self.accept(&call.hub, send).await?;
        Ok(created(&call.url(&format!("messages/{id}"))))
    }

    /// `POST /schedulednotifications`
    pub(super) async fn schedule(&self, call: &Call) -> Result<Response> {
        let format = Format::parse(call.header(&FORMAT).as_deref())?;
        let text = call.header(&SCHEDULE_TIME).ok_or_else(|| {
            bad_request("A scheduled send needs the header ServiceBusNotification-ScheduleTime.")
        })?;
        let at = date::parse(&text).ok_or_else(|| {
            bad_request(
                "The header ServiceBusNotification-ScheduleTime is no date; expected one such as \
                 2030-01-31T12:00:00Z.",
            )
        })?;
        let mut send = new_send(call, format, To::Audience(tags(call)), call.body.clone());
        send.scheduled = Some(at);
        let id = self.accept(&call.hub, send).await?;
        Ok(created(&call.url(&format!("schedulednotifications/{id}"))))
    }

    /// `DELETE /schedulednotifications/{id}`
    pub(super) async fn cancel(&self, call: &Call, id: &str) -> Result<Response> {
        self.cancel_scheduled(&call.hub, id).await?;
        Ok(empty(StatusCode::OK))
    }
}

fn new_send(call: &Call, format: Format, to: To, body: Bytes) -> Send {
    let request_id = call.header(&CLIENT_REQUEST_ID).filter(|it| it.len() <= MAX_REQUEST_ID);
    Send { format, to, headers: call.headers.clone(), body, scheduled: None, request_id }
}

/// The tag expression. The JavaScript client writes the word `undefined` for a broadcast that is a
/// test.
fn tags(call: &Call) -> Option<String> {
    let text = call.header(&TAGS)?;
    let agent = call.header(&USER_AGENT).unwrap_or_default();
    let slip = text == "undefined" && agent.starts_with("azsdk-js-notificationhubs/");
    (!slip).then_some(text)
}

fn device(call: &Call, format: Format) -> Result<Device> {
    let Format::Native(platform) = format else {
        return Err(bad_request(
            "A direct send needs the payload of one platform; set ServiceBusNotification-Format.",
        ));
    };
    let text = call.header(&DEVICE_HANDLE).ok_or_else(|| {
        bad_request("A direct send needs the header ServiceBusNotification-DeviceHandle.")
    })?;
    let handle = match platform {
        Platform::Browser => {
            let key = |name| call.header(name).unwrap_or_default();
            Handle::browser(&text, &key(&P256DH), &key(&AUTH))?
        }
        _ => Handle::new(platform, &text)?,
    };
    Ok(Device::of(&handle))
}
