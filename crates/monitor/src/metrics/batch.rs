//! What a request about several resources names. Pure.

use kernel::Result;
use serde::Deserialize;

use super::request::{Parameters, bad};

/// Resources of one request, as documented.
const MAX_RESOURCES: usize = 50;
/// As many of the longest ids that there are.
pub(super) const MAX_BYTES: usize = MAX_RESOURCES * 2_500;

/// The resources of a request, all of one type.
#[derive(Debug)]
pub(super) struct Request<'p> {
    pub namespace: &'p str,
    pub resources: Vec<String>,
}

#[derive(Deserialize)]
struct Body {
    resourceids: Vec<String>,
}

impl<'p> Request<'p> {
    /// Reads the body, `{"resourceids": […]}`.
    pub(super) fn read(parameters: &'p Parameters, body: &[u8]) -> Result<Self> {
        let namespace = parameters.one("metricnamespace").ok_or_else(|| {
            bad("The request needs a metricnamespace, such as Microsoft.EventGrid/topics.")
        })?;
        if parameters.one("metricnames").is_none() {
            return Err(bad("The request needs metricnames, the names of metrics with commas."));
        }
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            bad(format!("The body is not {{\"resourceids\": [\"/subscriptions/…\"]}}: {error}."))
        })?;
        let count = body.resourceids.len();
        if count == 0 || count > MAX_RESOURCES {
            let message = format!("A request has 1 to {MAX_RESOURCES} resourceids, not {count}.");
            return Err(bad(message));
        }
        Ok(Self { namespace, resources: body.resourceids })
    }
}
