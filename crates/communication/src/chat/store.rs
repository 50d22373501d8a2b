//! Rows of threads, participants, messages and receipts: statements that write them, queries that read
//! them.
//!
//! Every change begins with a guard, a statement that fails when the thread is no longer at the
//! revision that the change was decided on. It fails by setting a column to NULL that must not be: the
//! one way to stop a batch, in the same words for every engine. So what was decided in memory is
//! written only if it still holds, whoever else has written.

use std::sync::Arc;

use kernel::{Result, Timestamp};
use storage::{Db, Row, Statement, Val, vals};

use super::model::{Message, MessageId, Participant, Retention, Thread};
use super::stored::{self, MESSAGE, content_column, metadata_column};
use crate::identifier::RawId;
use crate::time;

/// A thread as the store has it.
pub(super) struct Loaded {
    pub(super) thread: Thread,
    pub(super) deleted: bool,
    pub(super) last_sequence: i64,
    pub(super) last_message: MessageId,
}

/// Reads a thread with its participants in one view.
pub(super) async fn load(db: &Db, resource: &str, id: &str) -> Result<Option<Loaded>> {
    let sql =
        "SELECT t.topic, t.metadata, t.retention_days, t.created_by, t.created_at, t.revision,
                      t.last_sequence, t.last_message, t.deleted_at,
                      p.participant, p.display_name, p.share_history_at, p.metadata, p.visible_from
               FROM chat_threads t
               LEFT JOIN chat_participants p ON p.thread = t.id AND p.visible_to IS NULL
               WHERE t.id = $1 AND t.resource = $2
               ORDER BY p.position";
    let rows = db.query(sql, vals![id, resource]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut participants = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.get::<Option<String>>(9)?.is_some() {
            participants.push(participant(row, 9)?);
        }
    }
    let days: Option<i64> = first.get(2)?;
    let thread = Thread {
        id: id.into(),
        resource: resource.into(),
        topic: first.get::<String>(0)?.into(),
        metadata: Arc::new(stored::metadata(&first.get::<String>(1)?)?),
        retention: days
            .and_then(|days| u16::try_from(days).ok())
            .map_or(Retention::None, Retention::Days),
        created_by: RawId::new(first.get::<String>(3)?),
        created: first.get(4)?,
        participants: participants.into(),
        revision: first.get(5)?,
    };
    Ok(Some(Loaded {
        thread,
        deleted: first.get::<Option<Timestamp>>(8)?.is_some(),
        last_sequence: first.get(6)?,
        last_message: first.get(7)?,
    }))
}

fn participant(row: &Row, at: usize) -> Result<Participant> {
    Ok(Participant {
        id: RawId::new(row.get::<String>(at)?),
        display_name: row.get::<Option<String>>(at + 1)?.map(Into::into),
        share_history: row.get(at + 2)?,
        metadata: Arc::new(stored::metadata(&row.get::<String>(at + 3)?)?),
        visible_from: row.get(at + 4)?,
    })
}

/// Holds only while the thread is at `revision` and not deleted.
pub(super) fn guard(thread: &Thread) -> Statement {
    let sql = "UPDATE chat_threads
               SET revision = CASE WHEN revision = $2 AND deleted_at IS NULL THEN revision END
               WHERE id = $1";
    Statement::new(sql, vals![&*thread.id, thread.revision])
}

/// As [`guard`], and takes a place in the thread's order. Places may be written in another order than
/// they were given, but a new last message must have the greater id.
pub(super) fn guard_place(thread: &Thread, sequence: i64, id: MessageId) -> Statement {
    let sql = "UPDATE chat_threads SET
                 last_sequence = CASE
                   WHEN revision = $2 AND deleted_at IS NULL
                        AND (last_sequence >= $3 OR last_message < $4)
                   THEN CASE WHEN last_sequence > $3 THEN last_sequence ELSE $3 END END,
                 last_message = CASE WHEN last_message > $4 THEN last_message ELSE $4 END,
                 changed_at = CASE WHEN changed_at > $5 THEN changed_at ELSE $5 END
               WHERE id = $1";
    let changed = time::from_millis(id);
    Statement::new(sql, vals![&*thread.id, thread.revision, sequence, id, changed])
}

/// A new thread.
pub(super) fn insert_thread(thread: &Thread, last: &Message) -> Statement {
    let sql = "INSERT INTO chat_threads
                 (id, resource, topic, metadata, retention_days, created_by, created_at, revision,
                  last_sequence, last_message, changed_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let params = vals![
        &*thread.id,
        &*thread.resource,
        &*thread.topic,
        metadata_column(&thread.metadata),
        days(thread.retention),
        thread.created_by.as_str(),
        thread.created,
        thread.revision,
        last.sequence,
        last.id,
        time::from_millis(last.id),
        thread.expires(),
    ];
    Statement::new(sql, params)
}

/// The thread's new properties, as of its new revision.
pub(super) fn update_thread(thread: &Thread, changed: Timestamp) -> Statement {
    let sql = "UPDATE chat_threads SET topic = $2, metadata = $3, retention_days = $4,
                 expires_at = $5, revision = $6,
                 changed_at = CASE WHEN changed_at > $7 THEN changed_at ELSE $7 END
               WHERE id = $1";
    let params = vals![
        &*thread.id,
        &*thread.topic,
        metadata_column(&thread.metadata),
        days(thread.retention),
        thread.expires(),
        thread.revision,
        changed,
    ];
    Statement::new(sql, params)
}

/// The end of a thread.
pub(super) fn delete_thread(thread: &Thread, now: Timestamp) -> Statement {
    let sql = "UPDATE chat_threads SET deleted_at = $2, changed_at = $2, revision = $3
               WHERE id = $1";
    Statement::new(sql, vals![&*thread.id, now, thread.revision])
}

fn days(retention: Retention) -> Val {
    match retention {
        Retention::None => Val::Null,
        Retention::Days(days) => Val::Int(days.into()),
    }
}

/// Somebody comes, perhaps again. Those who come later have a greater `position`.
pub(super) fn add_participant(thread: &str, who: &Participant, position: i64) -> Statement {
    let sql = "INSERT INTO chat_participants
                 (thread, participant, position, display_name, share_history_at, metadata,
                  visible_from, visible_to)
               VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)
               ON CONFLICT (thread, participant) DO UPDATE SET
                 position = excluded.position, display_name = excluded.display_name,
                 share_history_at = excluded.share_history_at, metadata = excluded.metadata,
                 visible_from = excluded.visible_from, visible_to = NULL";
    let params = vals![
        thread,
        who.id.as_str(),
        position,
        who.display_name.as_deref().map(str::to_owned),
        who.share_history,
        metadata_column(&who.metadata),
        who.visible_from,
    ];
    Statement::new(sql, params)
}

/// Somebody goes, and sees nothing that is later than the message that tells so.
pub(super) fn remove_participant(thread: &str, who: &RawId, last: MessageId) -> Statement {
    let sql = "UPDATE chat_participants SET visible_to = $3 WHERE thread = $1 AND participant = $2";
    Statement::new(sql, vals![thread, who.as_str(), last])
}

/// A new message.
pub(super) fn insert_message(thread: &str, message: &Message) -> Statement {
    let sql = "INSERT INTO chat_messages
                 (thread, id, sequence, version, kind, content, sender, sender_display_name, metadata)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let params = vals![
        thread,
        message.id,
        message.sequence,
        message.version,
        message.kind.as_str(),
        message.content.as_ref().map(content_column),
        message.sender.as_ref().map(RawId::as_str),
        message.sender_display_name.as_deref().map(str::to_owned),
        metadata_column(&message.metadata),
    ];
    Statement::new(sql, params)
}

/// An edited or deleted message; fails when it is no longer at version `was`.
pub(super) fn update_message(thread: &str, message: &Message, was: i64) -> Statement {
    let sql = "UPDATE chat_messages SET
                 version = CASE WHEN version = $3 THEN CAST($4 AS BIGINT) END,
                 content = $5, metadata = $6, edited_at = $7, deleted_at = $8
               WHERE thread = $1 AND id = $2";
    let params = vals![
        thread,
        message.id,
        was,
        message.version,
        message.content.as_ref().map(content_column),
        metadata_column(&message.metadata),
        message.edited,
        message.deleted,
    ];
    Statement::new(sql, params)
}

/// Somebody has read up to a message; an older receipt never replaces a newer one.
pub(super) fn put_receipt(
    thread: &str,
    who: &RawId,
    message: MessageId,
    read: Timestamp,
) -> Statement {
    let sql = "INSERT INTO chat_read_receipts (thread, participant, message, read_at)
               VALUES ($1, $2, $3, $4)
               ON CONFLICT (thread, participant) DO UPDATE SET
                 message = excluded.message, read_at = excluded.read_at
               WHERE chat_read_receipts.message <= excluded.message";
    Statement::new(sql, vals![thread, who.as_str(), message, read])
}

/// What the first call with this request id led to; a second row with it is refused.
pub(super) fn remember_request(
    caller: &RawId,
    request: &str,
    thread: &str,
    refused: &str,
    now: Timestamp,
) -> Statement {
    let sql = "INSERT INTO chat_repeatable_requests (caller, request_id, thread, refused, made_at)
               VALUES ($1, $2, $3, $4, $5)";
    Statement::new(sql, vals![caller.as_str(), request, thread, refused, now])
}

/// The thread that a request id has made, and the participants that were refused then.
pub(super) async fn request(
    db: &Db,
    caller: &RawId,
    request: &str,
) -> Result<Option<(String, String)>> {
    let sql = "SELECT thread, refused FROM chat_repeatable_requests
               WHERE caller = $1 AND request_id = $2";
    let rows = db.query(sql, vals![caller.as_str(), request]).await?;
    rows.first().map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// What somebody who is no longer in a thread may still see of it: first and last message.
pub(super) async fn former_view(
    db: &Db,
    thread: &str,
    who: &RawId,
) -> Result<Option<(MessageId, MessageId)>> {
    let sql = "SELECT visible_from, visible_to FROM chat_participants
               WHERE thread = $1 AND participant = $2 AND visible_to IS NOT NULL";
    let rows = db.query(sql, vals![thread, who.as_str()]).await?;
    rows.first().map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// One message.
pub(super) async fn message(db: &Db, thread: &str, id: MessageId) -> Result<Option<Message>> {
    let sql = format!("SELECT {MESSAGE} FROM chat_messages WHERE thread = $1 AND id = $2");
    let rows = db.query(sql, vals![thread, id]).await?;
    rows.first().map(stored::message).transpose()
}
