//! Telemetry of notifications, and what push services refused.
//!
//! Clients read refusals from a container of Azure Storage whose address is its own credential. The
//! container here is the hub itself: it knows the two requests that readers make, a listing of its
//! blobs and one blob, and its signature is checked as that of every credential.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Error, ErrorKind, Result, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Call;
use super::answer::with_body;
use crate::credential::Right;
use crate::date;
use crate::entry::{XML_TYPE, write_details, write_feedback};
use crate::registration::Key;
use crate::service::NotificationHubs;

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

    /// `GET /feedback`, the container, and `GET /feedback/{blob}`: what push services refused of all
    /// notifications, or of the one that the blob is named after.
    pub(super) async fn feedback(&self, call: &Call, blob: Option<&str>) -> Result<Response> {
        self.check_signature(call)?;
        let hub = call.hub.hub.key;
        let (mut after, mut lines, mut entries) = (Key::default(), String::new(), 0);
        loop {
            let page = self.store().feedback(hub, after, PAGE).await?;
            let Some(last) = page.last().map(|it| it.key) else { break };
            for entry in &page {
                let feedback = &entry.feedback;
                let of_notification = feedback.notification_id.as_deref();
                if blob.is_none_or(|it| it == ALL || of_notification == Some(it)) {
                    lines.push_str(&write_feedback(feedback));
                    lines.push('\n');
                    entries += 1;
                }
            }
            if page.len() < PAGE || entries >= BLOB_ENTRIES {
                break;
            }
            after = last;
        }
        Ok(match blob {
            Some(_) => with_body("text/plain; charset=utf-8", lines),
            None => with_body(XML_TYPE, self.listing(&call.base, lines.len())),
        })
    }

    fn listing(&self, base: &str, length: usize) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        let modified = date::with_millis(self.now());
        write!(out, "<EnumerationResults ContainerName=\"{base}/feedback\"><Blobs>")
            .expect("a string takes everything");
        if length > 0 {
            write!(
                out,
                "<Blob><Name>{ALL}</Name><Properties><Last-Modified>{modified}</Last-Modified>\
                 <Content-Length>{length}</Content-Length><Content-Type>text/plain</Content-Type>\
                 <BlobType>BlockBlob</BlobType></Properties></Blob>"
            )
            .expect("a string takes everything");
        }
        out.push_str("</Blobs><NextMarker/></EnumerationResults>");
        out
    }

    fn blob_url(&self, call: &Call, blob: &str) -> Option<String> {
        let signature = self.signature(call).ok()?;
        Some(format!("{}/feedback/{blob}?{signature}", call.base))
    }

    /// What makes the container's address a credential: signed with the key of the first policy that
    /// may send, so that replacing that key ends it.
    fn signature(&self, call: &Call) -> Result<String> {
        let expires = self.now().as_secs() + CONTAINER_SECS;
        let signature = sign(call, expires)?;
        let until = date::with_millis(Timestamp::from_secs(expires));
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (until, signature) = (encoded(&until), encoded(&signature));
        Ok(format!("sv=2020-06-12&sr=c&se={until}&sp=rl&sig={signature}"))
    }

    fn check_signature(&self, call: &Call) -> Result<()> {
        let expires = call.query.get("se").and_then(date::parse);
        let expires = expires.filter(|it| *it > self.now());
        let sent = call.query.get("sig").and_then(|it| STANDARD.decode(it).ok());
        let holds = match (expires, sent) {
            (Some(expires), Some(sent)) => {
                let (key, text) = (key(call)?, signed_text(call, expires.as_secs()));
                hmac::verify(&key, text.as_bytes(), &sent).is_ok()
            }
            _ => false,
        };
        if holds {
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

/// The blob with everything.
const ALL: &str = "all";

fn sign(call: &Call, expires: i64) -> Result<String> {
    let tag = hmac::sign(&key(call)?, signed_text(call, expires).as_bytes());
    Ok(STANDARD.encode(tag.as_ref()))
}

fn signed_text(call: &Call, expires: i64) -> String {
    format!("feedback\n{}\n{expires}", call.hub.hub.key.0)
}

fn key(call: &Call) -> Result<hmac::Key> {
    let sender = call.hub.policies.iter().find(|it| it.rights.has(Right::Send));
    let policy = sender.or(call.hub.policies.first()).ok_or_else(|| {
        let message = "The notification hub has no policy; create one to read its feedback.";
        Error::new(ErrorKind::NotFound, "40403", message)
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, policy.primary.expose().as_bytes()))
}
