//! Sends through a hub: one request, one judgement. Nothing is repeated here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge::outbound::{Limits, Outbound, OutboundError};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Request, Uri};
use kernel::Clock;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{self, Sent};
use super::fault::{Fault, FaultKind};
use super::links::Link;
use super::probe::Platform;

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(15), header_bytes: 16 * 1024, body_bytes: 64 * 1024 };
/// How long a token holds; each send has its own.
const TOKEN: Duration = Duration::from_mins(10);

/// What is sent to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Whose push system carries it.
    pub platform: Platform,
    /// The device, in the platform's own words.
    pub handle: String,
    /// The body, JSON.
    pub body: Bytes,
    /// Further headers, such as `apns-push-type`.
    pub headers: &'static [(&'static str, &'static str)],
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
}

impl Hub {
    /// A client that calls through `outbound`.
    pub fn new(outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self { outbound, clock }
    }

    /// Sends to one device, by its handle.
    pub async fn send(&self, link: &Link, push: &Push) -> Sent {
        self.post(link, push, "direct=true").await
    }

    /// The same, with the platform's word awaited.
    pub(crate) async fn test(&self, link: &Link, push: &Push) -> Sent {
        self.post(link, push, "direct=true&test=true").await
    }

    async fn post(&self, link: &Link, push: &Push, flags: &str) -> Sent {
        let request = match self.request(link, push, flags) {
            Ok(request) => request,
            Err(problem) => return Sent::Refused(problem),
        };
        match self.outbound.send(request, LIMITS).await {
            Ok(answer) => {
                let pause = pause(answer.headers());
                let format = push.platform.format();
                answer::judge(answer.status().as_u16(), pause, answer.body(), format)
            }
            Err(error @ (OutboundError::Timeout { .. } | OutboundError::Broken { .. })) => {
                Sent::Busy(error.to_string(), None)
            }
            Err(error) => Sent::Fault(Fault::new(FaultKind::Unreachable, error.to_string())),
        }
    }

    fn request(&self, link: &Link, push: &Push, flags: &str) -> Result<Request<Bytes>, String> {
        let hub = utf8_percent_encode(link.hub(), NON_ALPHANUMERIC);
        let endpoint = &link.connection.endpoint;
        let url = format!("{endpoint}/{hub}/messages/?api-version=2020-06&{flags}");
        let url: Uri = url.parse().map_err(|_| "the hub has no usable address".to_owned())?;
        let handle = HeaderValue::try_from(&push.handle);
        let handle = handle.map_err(|_| "no device has such a handle".to_owned())?;
        let token = link.connection.token(self.clock.now() + TOKEN);
        let mut token = HeaderValue::try_from(token.expose())
            .map_err(|_| "the name of the hub's key is none".to_owned())?;
        token.set_sensitive(true);
        let mut request = Request::post(url)
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "application/json;charset=utf-8")
            .header("servicebusnotification-format", push.platform.format())
            .header("servicebusnotification-devicehandle", handle);
        for (name, value) in push.headers {
            request = request.header(*name, *value);
        }
        request.body(push.body.clone()).map_err(|error| error.to_string())
    }
}

fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
