//! Telemetry of notifications, and what push services refused.
//!
//! Clients read refusals from a container of Azure Storage whose address is its own credential. The
//! container here is the hub itself: it knows the two requests that readers make, a listing of its
//! blobs and one blob, and its signature is checked as that of every credential. There is a blob for
//! each day, named as the service names it, month first.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use axum::http::HeaderName;
use axum::http::header::LAST_MODIFIED;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Error, ErrorKind, Result, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{put, with_body};
use super::{Call, Query};
use crate::credential::Right;
use crate::date;
use crate::entry::{XML_TYPE, write_details, write_feedback};
use crate::registration::Key;
use crate::registry::HubEntry;
use crate::service::NotificationHubs;
use crate::store::{FeedbackEntry, FeedbackOf};

const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");

/// How long the address of the container holds.
const CONTAINER_SECS: i64 = 24 * 3600;
/// Refusals of one blob.
const BLOB_ENTRIES: usize = 10_000;
/// Refusals that are read from the store at a time.
const PAGE: usize = 1000;

impl NotificationHubs {
    /// `GET /messages/{id}`
    pub(super) async fn telemetry(&self, call: &Call, id: &str) -> Result<Response> {
        let mut details = self.store().notification(call.hub.hub.key, id).await?;
        let base = call.base.strip_prefix("https").unwrap_or(&call.base);
        details.location = format!("sb{base}/messages/{id}?api-version=2015-04");
        let refused = |(name, count): &(String, u64)| *count > 0 && name != "Success";
        if details.counts.iter().any(|(_, counts)| counts.iter().any(refused)) {
            details.errors_url = self.blob_url(call, id);
        }
        Ok(with_body(XML_TYPE, write_details(&details)))
    }

    /// `GET /feedbackcontainer`
    pub(super) fn feedback_container(&self, call: &Call) -> Result<Response> {
        let signature = self.signature(call)?;
        Ok(with_body("text/plain; charset=utf-8", format!("{}/feedback?{signature}", call.base)))
    }

    /// `GET /feedback`, the container, and `GET /feedback/{blob}`: what push services refused on a day,
    /// or of the notification that the blob is named after.
    pub(super) async fn feedback(&self, call: &Call, blob: Option<&str>) -> Result<Response> {
        self.check_signature(call)?;
        let Some(name) = blob else {
            let blobs = self.blobs(call).await?;
            return Ok(with_body(XML_TYPE, listing(&call.base, &blobs)));
        };
        let (of, after) = match day_blob(name) {
            Some((from, until, after)) => (FeedbackOf::Time(from, until), after),
            None => (FeedbackOf::Notification(name), Key::default()),
        };
        let entries = self.feedback_within(call, of, after, BLOB_ENTRIES).await?;
        let mut lines = String::new();
        for entry in &entries {
            lines.push_str(&write_feedback(&entry.feedback));
            lines.push('\n');
        }
        let mut response = with_body("text/plain; charset=utf-8", lines);
        put(&mut response, BLOB_TYPE, "AppendBlob");
        if let Some(last) = entries.last() {
            put(&mut response, LAST_MODIFIED, &date::for_http(last.feedback.at));
        }
        Ok(response)
    }

    /// The blobs with entries: one a day, and another one for each [`BLOB_ENTRIES`] more.
    async fn blobs(&self, call: &Call) -> Result<Vec<Blob>> {
        let mut blobs: Vec<Blob> = Vec::new();
        let (mut after, mut days_end) = (Key::default(), Timestamp::from_secs(0));
        loop {
            let page = self.feedback_within(call, FeedbackOf::Hub, after, PAGE).await?;
            for entry in &page {
                let at = entry.feedback.at;
                let is_full = blobs.last().is_none_or(|it| it.entries == BLOB_ENTRIES);
                if at >= days_end || is_full {
                    let (day, _, end) = date::day(at);
                    let first_of_day = at >= days_end;
                    let name = if first_of_day { day } else { format!("{day}-{}", entry.key.0) };
                    blobs.push(Blob { name, entries: 0, bytes: 0, modified: at });
                    days_end = end;
                }
                let blob = blobs.last_mut().expect("one was begun");
                blob.entries += 1;
                blob.bytes += write_feedback(&entry.feedback).len() + 1;
                blob.modified = at;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.key,
                _ => return Ok(blobs),
            }
        }
    }

    async fn feedback_within(
        &self,
        call: &Call,
        of: FeedbackOf<'_>,
        mut after: Key,
        most: usize,
    ) -> Result<Vec<FeedbackEntry>> {
        let mut found = Vec::new();
        loop {
            let limit = PAGE.min(most - found.len());
            let page = self.store().feedback(call.hub.hub.key, of, after, limit).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.key;
            let is_last = page.len() < limit;
            found.extend(page);
            if is_last || found.len() == most {
                return Ok(found);
            }
        }
    }

    fn blob_url(&self, call: &Call, blob: &str) -> Option<String> {
        let signature = self.signature(call).ok()?;
        Some(format!("{}/feedback/{blob}?{signature}", call.base))
    }

    /// What makes the container's address a credential: signed with the key of the first policy that
    /// may send, so that replacing that key ends it.
    fn signature(&self, call: &Call) -> Result<String> {
        let expires = self.now().as_secs() + CONTAINER_SECS;
        let signature = sign(&call.hub, expires)?;
        let until = date::with_millis(Timestamp::from_secs(expires));
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (until, signature) = (encoded(&until), encoded(&signature));
        Ok(format!("sv=2020-06-12&sr=c&se={until}&sp=rl&sig={signature}"))
    }

    /// Whether a query is what [`NotificationHubs::signature`] has made for a hub, and still holds.
    pub(super) fn opens_container(&self, hub: &HubEntry, query: &Query) -> bool {
        let expires = query.get("se").and_then(date::parse);
        let expires = expires.filter(|it| *it > self.now());
        let sent = query.get("sig").and_then(|it| STANDARD.decode(it).ok());
        match (expires, sent, key(hub)) {
            (Some(expires), Some(sent), Ok(key)) => {
                let text = signed_text(hub, expires.as_secs());
                hmac::verify(&key, text.as_bytes(), &sent).is_ok()
            }
            _ => false,
        }
    }

    fn check_signature(&self, call: &Call) -> Result<()> {
        if self.opens_container(&call.hub, &call.query) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "40103",
            "The address of the feedback container does not hold, or not any more. Ask GET \
             /<hub>/feedbackcontainer for a new one.",
        ))
    }
}

/// A file of the container.
struct Blob {
    name: String,
    entries: usize,
    bytes: usize,
    modified: Timestamp,
}

/// The time that a blob is about, and the place that it begins after: `11222026`, or
/// `11222026-<place of its first entry>` for what one blob cannot hold.
fn day_blob(name: &str) -> Option<(Timestamp, Timestamp, Key)> {
    let (day, place) = name.split_once('-').unwrap_or((name, "1"));
    let (from, until) = date::day_of_name(day)?;
    let first: i64 = place.parse().ok().filter(|it| *it > 0)?;
    Some((from, until, Key(first - 1)))
}

/// The answer of storage to `comp=list`.
fn listing(base: &str, blobs: &[Blob]) -> String {
    let (service, hub) = base.rsplit_once('/').unwrap_or((base, ""));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    write!(
        out,
        "<EnumerationResults ServiceEndpoint=\"{service}/{hub}/\" ContainerName=\"feedback\"><Blobs>"
    )
    .expect("a string takes everything");
    for Blob { name, bytes, modified, .. } in blobs {
        write!(
            out,
            "<Blob><Name>{name}</Name><Properties><Last-Modified>{}</Last-Modified>\
             <Etag>0x{bytes:X}</Etag><Content-Length>{bytes}</Content-Length>\
             <Content-Type>text/plain; charset=utf-8</Content-Type>\
             <BlobType>AppendBlob</BlobType></Properties></Blob>",
            date::for_http(*modified)
        )
        .expect("a string takes everything");
    }
    out.push_str("</Blobs><NextMarker/></EnumerationResults>");
    out
}

fn sign(hub: &HubEntry, expires: i64) -> Result<String> {
    let tag = hmac::sign(&key(hub)?, signed_text(hub, expires).as_bytes());
    Ok(STANDARD.encode(tag.as_ref()))
}

fn signed_text(hub: &HubEntry, expires: i64) -> String {
    format!("feedback\n{}\n{expires}", hub.hub.key.0)
}

fn key(hub: &HubEntry) -> Result<hmac::Key> {
    let sender = hub.policies.iter().find(|it| it.rights.has(Right::Send));
    let policy = sender.or(hub.policies.first()).ok_or_else(|| {
        let message = "The notification hub has no policy; create one to read its feedback.";
        Error::new(ErrorKind::NotFound, "40403", message)
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, policy.primary.expose().as_bytes()))
}
