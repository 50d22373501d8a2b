//! Who may do what, and how much of it. Pure.

use kernel::{Cause, Error, ErrorKind, Result};

use super::model::{Metadata, Participant, Thread};
use crate::identifier::RawId;
use crate::identity::{Caller, Scope};

/// Participants of a thread.
pub(super) const MAX_PARTICIPANTS: usize = 250;
/// Participants in one request.
pub(super) const MAX_PARTICIPANTS_AT_ONCE: usize = 200;
/// Above this many participants nobody is told who types and who has read.
pub(super) const MAX_FOR_PRESENCE: usize = 20;
/// Content and metadata of a message together, in bytes.
pub(super) const MAX_MESSAGE: usize = 28 * 1024;
/// Metadata of a thread or a participant, in bytes of keys and values.
pub(super) const MAX_METADATA: usize = 1024;
/// Characters of a topic. Azure publishes no figure.
pub(super) const MAX_TOPIC: usize = 250;
/// Characters of a display name. Azure publishes no figure.
pub(super) const MAX_DISPLAY_NAME: usize = 256;

/// What an operation asks of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Reading and writing messages.
    TakePart,
    /// Adding and removing participants.
    ManageParticipants,
    /// Creating, updating and deleting threads.
    ManageThreads,
}

impl Right {
    fn scopes(self) -> &'static [Scope] {
        match self {
            Self::TakePart => &[Scope::Chat, Scope::ChatJoin, Scope::ChatJoinLimited],
            Self::ManageParticipants => &[Scope::Chat, Scope::ChatJoin],
            Self::ManageThreads => &[Scope::Chat],
        }
    }
}

/// Checks the scopes of a token.
pub(crate) fn check_scope(caller: &Caller, right: Right) -> Result<()> {
    if caller.scopes.has_any(right.scopes()) {
        return Ok(());
    }
    let needed: Vec<&str> = right.scopes().iter().map(|scope| scope.as_str()).collect();
    let has = match caller.scopes.is_empty() {
        true => "none".to_owned(),
        false => caller.scopes.to_string(),
    };
    Err(forbidden(format!(
        "This operation needs a token with the scope {}; this one has {has}. Issue a token with the \
         scope.",
        needed.join(" or ")
    ))
    .because(Cause::ScopeMissing))
}

/// The caller as a participant of the thread.
pub(super) fn member<'a>(thread: &'a Thread, who: &RawId) -> Result<&'a Participant> {
    thread.participant(who).ok_or_else(|| not_a_member(&thread.id, who))
}

pub(super) fn not_a_member(thread: &str, who: &RawId) -> Error {
    forbidden(format!(
        "The user '{who}' is not a participant of the thread '{thread}'. A participant must add \
         them first."
    ))
    .because(Cause::NotParticipant)
}

/// Typing and receipts are for small threads.
pub(super) fn check_presence(thread: &Thread) -> Result<()> {
    let count = thread.participants.len();
    if count <= MAX_FOR_PRESENCE {
        return Ok(());
    }
    Err(forbidden(format!(
        "Typing indicators and read receipts are for threads of at most {MAX_FOR_PRESENCE} \
         participants; this one has {count}."
    )))
}

pub(super) fn check_topic(topic: &str) -> Result<()> {
    let length = topic.chars().count();
    match length {
        0 => Err(invalid("A thread needs a topic.").target("topic")),
        1..=MAX_TOPIC => Ok(()),
        _ => {
            let message = format!("A topic has at most {MAX_TOPIC} characters, not {length}.");
            Err(invalid(message).target("topic"))
        }
    }
}

pub(super) fn check_metadata(metadata: &Metadata) -> Result<()> {
    let size = metadata_size(metadata);
    if size <= MAX_METADATA {
        return Ok(());
    }
    let message = format!(
        "Metadata of a thread or participant has at most {MAX_METADATA} bytes of keys and values, \
         not {size}."
    );
    Err(invalid(message).target("metadata"))
}

pub(super) fn check_message(content: &str, metadata: &Metadata) -> Result<()> {
    if content.is_empty() {
        return Err(invalid("A message needs content.").target("content"));
    }
    let size = content.len() + metadata_size(metadata);
    if size <= MAX_MESSAGE {
        return Ok(());
    }
    let message = format!(
        "Content and metadata of a message have at most {MAX_MESSAGE} bytes together, not {size}."
    );
    Err(Error::new(ErrorKind::TooLarge, "RequestEntityTooLarge", message).target("content"))
}

pub(super) fn check_display_name(name: Option<&str>) -> Result<()> {
    match name.map(|name| name.chars().count()) {
        Some(length) if length > MAX_DISPLAY_NAME => {
            let message = format!("A display name has at most {MAX_DISPLAY_NAME} characters.");
            Err(invalid(message).target("displayName"))
        }
        _ => Ok(()),
    }
}

fn metadata_size(metadata: &Metadata) -> usize {
    metadata.iter().map(|(key, value)| key.len() + value.len()).sum()
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message)
}

pub(crate) fn forbidden(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Forbidden, "Forbidden", message)
}

pub(super) fn no_such_thread(thread: &str) -> Error {
    let message = format!(
        "The thread '{}' does not exist: it was deleted, or it belongs to another resource.",
        thread.escape_debug()
    );
    Error::new(ErrorKind::NotFound, "NotFound", message).target("chatThreadId")
}

pub(super) fn no_such_message(thread: &str, message: &str) -> Error {
    let message = format!(
        "The message '{}' does not exist in the thread '{thread}', or is not visible to the caller.",
        message.escape_debug()
    );
    Error::new(ErrorKind::NotFound, "NotFound", message).target("chatMessageId")
}
