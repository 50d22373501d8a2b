//! What a server tells as it happens, a line each, until Ctrl-C.

use serde_json::Value;

use super::admin::Admin;
use crate::signals::Signals;
use crate::terminal;

/// Prints the lines of an answer that goes on: for people as `line` has it, or the JSON that it is.
///
/// # Errors
/// When the server does not answer, refuses, or goes.
pub async fn tail(
    admin: &Admin,
    path: &str,
    as_json: bool,
    line: impl Fn(&Value) -> String,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    // Said once the server tells everything: what happens from now on will be seen.
    let begun = || terminal::complain("listening; Ctrl-C ends it\n");
    let mut unfinished = Vec::new();
    let told = admin.follow(path, begun, |piece| {
        unfinished.extend_from_slice(piece);
        while let Some(end) = unfinished.iter().position(|byte| *byte == b'\n') {
            let told: Vec<u8> = unfinished.drain(..=end).collect();
            let text = String::from_utf8_lossy(&told);
            let value = serde_json::from_str::<Value>(&text).ok().filter(|_| !as_json);
            terminal::say(&value.map_or(text.into_owned(), |value| line(&value)))?;
        }
        Ok(())
    });
    tokio::select! {
        ended = told => ended,
        () = signals.first() => Ok(()),
    }
}
