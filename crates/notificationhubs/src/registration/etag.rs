//! `If-Match`, as the clients write it: `"3"`, `W/"3"`, `3` or `*`.

use kernel::Result;

use crate::refusal::{bad_request, precondition_failed, shown};

/// What must be there for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any version.
    Any,
    /// One version.
    Version(i64),
}

impl IfMatch {
    /// Reads the header.
    ///
    /// # Errors
    /// `Invalid` for something that is no ETag of this service.
    pub fn parse(header: &str) -> Result<Self> {
        let text = header.trim();
        if text == "*" || text == "\"*\"" {
            return Ok(Self::Any);
        }
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        text.parse().map(Self::Version).map_err(|_| {
            bad_request(format!(
                "If-Match '{}' is no ETag of this service; send the one that was read, such as \
                 W/\"1\", or *.",
                shown(header)
            ))
        })
    }

    /// Compares with the version that is there.
    ///
    /// # Errors
    /// `PreconditionFailed` when it is another.
    pub fn check(self, current: i64) -> Result<()> {
        match self {
            Self::Version(wanted) if wanted != current => Err(precondition_failed(format!(
                "The registration has the ETag W/\"{current}\", the request expects W/\"{wanted}\". \
                 Read it again and repeat the change, or send If-Match: * to overwrite."
            ))),
            _ => Ok(()),
        }
    }
}
