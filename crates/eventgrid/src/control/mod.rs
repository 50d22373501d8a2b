//! Creating, changing and deleting topics and event subscriptions: what management calls do.
//!
//! Nothing here knows HTTP. What the configuration file defines is refused to change; everything is
//! on disk and in the snapshot before a call returns.

mod subscriptions;
mod topics;

use kernel::{Error, ErrorKind, Result};

/// Azure's rule for names: letters, digits and hyphens.
fn check_name(what: &'static str, name: &str, longest: usize) -> Result<()> {
    let fits = (3..=longest).contains(&name.len());
    if fits && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    let message = format!(
        "'{}' cannot be the name of {what}: it has 3 to {longest} letters, digits and hyphens.",
        shown.escape_debug()
    );
    Err(Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("name"))
}

/// The refusal of a call about something that the configuration file defines.
fn owned_by_file(what: &str, name: &str) -> Error {
    let message = format!(
        "The {what} '{name}' is defined in the server's configuration. Change it there and restart \
         the server; calls cannot."
    );
    Error::new(ErrorKind::Conflict, "OwnedByConfiguration", message)
}
