//! Reading: threads, messages, participants, receipts.
//!
//! Lists of messages and threads go from the newest to the oldest and continue after the last row that
//! was shown, so what is written meanwhile moves nothing. A thread that changes while threads are
//! listed moves to the front, as it does for whoever lists again with a start time.

use std::sync::Arc;

use kernel::{ErrorKind, Result, Timestamp};
use storage::{Val, vals};

use super::model::{Message, MessageId, Participant, Thread};
use super::rules::{self, Right, check_scope, member};
use super::service::{Access, Chat};
use super::store;
use super::stored::{self, MESSAGE};
use crate::identifier::RawId;
use crate::time;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<C> {
    /// How many at most.
    pub size: u16,
    /// Only what has changed since.
    pub since: Option<Timestamp>,
    /// What comes after the page before.
    pub after: Option<C>,
}

/// A page of messages, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Where the next page begins, if there is one.
    pub next: Option<MessageId>,
}

/// A thread in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub topic: String,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// When the newest message came.
    pub last_message: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

/// A page of threads, the one that changed last first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadPage {
    /// The threads.
    pub threads: Vec<Listed>,
    /// Where the next page begins, if there is one: the last one's change and id.
    pub next: Option<(Timestamp, String)>,
}

/// Somebody has read up to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who.
    pub reader: RawId,
    /// The message.
    pub message: MessageId,
    /// When.
    pub read: Timestamp,
}

impl Chat {
    /// Whether the caller is in a thread, which need not exist.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn has(&self, access: &Access, thread: &str) -> Result<bool> {
        match self.thread(access, thread).await {
            Ok(thread) => Ok(thread.participant(&access.caller.id).is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A thread that the caller is in.
    ///
    /// # Errors
    /// When the token or the membership forbids it, or the store fails.
    pub async fn get_thread(&self, access: &Access, thread: &str) -> Result<Arc<Thread>> {
        check_scope(&access.caller, Right::TakePart)?;
        let thread = self.thread(access, thread).await?;
        member(&thread, &access.caller.id)?;
        Ok(thread)
    }

    /// The threads that the caller is in, deleted ones too.
    ///
    /// # Errors
    /// As [`Chat::get_thread`].
    pub async fn threads(
        &self,
        access: &Access,
        page: &Page<(Timestamp, String)>,
    ) -> Result<ThreadPage> {
        check_scope(&access.caller, Right::TakePart)?;
        let sql = "SELECT t.id, t.topic, t.deleted_at, t.last_message, t.changed_at
                   FROM chat_participants p JOIN chat_threads t ON t.id = p.thread
                   WHERE p.participant = $1 AND p.visible_to IS NULL AND t.changed_at >= $2
                     AND (t.changed_at < $3 OR (t.changed_at = $3 AND t.id < $4))
                   ORDER BY t.changed_at DESC, t.id DESC LIMIT $5";
        let since = page.since.unwrap_or_default();
        let end = (Timestamp::from_micros(i64::MAX), String::new());
        let (before, id) = page.after.clone().unwrap_or(end);
        let limit = i64::from(page.size) + 1;
        let params = vals![access.caller.id.as_str(), since, before, id, limit];
        let rows = self.0.db.query(sql, params).await?;
        let threads = rows.iter().map(|row| {
            Ok(Listed {
                id: row.get(0)?,
                topic: row.get(1)?,
                deleted: row.get(2)?,
                last_message: time::from_millis(row.get(3)?),
                changed: row.get(4)?,
            })
        });
        let mut threads = threads.collect::<Result<Vec<_>>>()?;
        let more = cut(&mut threads, page.size);
        let last = threads.last().filter(|_| more);
        let next = last.map(|last| (last.changed, last.id.clone()));
        Ok(ThreadPage { threads, next })
    }

    /// Messages of a thread, as far as the caller may see them.
    ///
    /// # Errors
    /// As [`Chat::get_thread`].
    pub async fn messages(
        &self,
        access: &Access,
        thread: &str,
        page: &Page<MessageId>,
    ) -> Result<MessagePage> {
        let (first, last) = self.view(access, thread).await?;
        let last = page.after.map_or(last, |after| last.min(after.saturating_sub(1)));
        let limit = i64::from(page.size) + 1;
        let mut params = vals![thread, first, last, limit];
        let range = "thread = $1 AND id >= $2 AND id <= $3";
        let sql = match page.since {
            None => format!(
                "SELECT {MESSAGE} FROM chat_messages WHERE {range} ORDER BY id DESC LIMIT $4"
            ),
            // Those written since, and the older ones changed since; an index for each.
            Some(since) => {
                params.push(Val::Int(time::to_millis(since)));
                format!(
                    "SELECT {MESSAGE} FROM chat_messages WHERE {range} AND id >= $5
                     UNION ALL
                     SELECT {MESSAGE} FROM chat_messages
                     WHERE {range} AND id < $5 AND version >= $5 AND version > id
                     ORDER BY id DESC LIMIT $4"
                )
            }
        };
        let rows = self.0.db.query(sql, params).await?;
        let mut messages = rows.iter().map(stored::message).collect::<Result<Vec<_>>>()?;
        let more = cut(&mut messages, page.size);
        let next = messages.last().filter(|_| more).map(|last| last.id);
        Ok(MessagePage { messages, next })
    }

    /// One message that the caller may see.
    ///
    /// # Errors
    /// As [`Chat::get_thread`]; also when there is no such message.
    pub async fn message(&self, access: &Access, thread: &str, id: MessageId) -> Result<Message> {
        let (first, last) = self.view(access, thread).await?;
        let found = match (first..=last).contains(&id) {
            true => store::message(&self.0.db, thread, id).await?,
            false => None,
        };
        found.ok_or_else(|| rules::no_such_message(thread, &id.to_string()))
    }

    /// Participants of a thread, and whether there are more behind them.
    ///
    /// # Errors
    /// As [`Chat::get_thread`].
    pub async fn participants(
        &self,
        access: &Access,
        thread: &str,
        skip: usize,
        size: u16,
    ) -> Result<(Vec<Participant>, bool)> {
        let thread = self.get_thread(access, thread).await?;
        let rest = thread.participants.get(skip..).unwrap_or_default();
        let shown = rest.iter().take(size.into()).cloned().collect();
        Ok((shown, rest.len() > size.into()))
    }

    /// The newest receipt of each participant, and whether there are more behind them.
    ///
    /// # Errors
    /// As [`Chat::get_thread`].
    pub async fn receipts(
        &self,
        access: &Access,
        thread: &str,
        skip: u32,
        size: u16,
    ) -> Result<(Vec<Receipt>, bool)> {
        let visible = {
            let thread = self.get_thread(access, thread).await?;
            member(&thread, &access.caller.id)?.visible_from
        };
        let sql = "SELECT participant, message, read_at FROM chat_read_receipts
                   WHERE thread = $1 AND message >= $2
                   ORDER BY read_at, participant LIMIT $3 OFFSET $4";
        let params = vals![thread, visible, i64::from(size) + 1, i64::from(skip)];
        let rows = self.0.db.query(sql, params).await?;
        let receipts = rows.iter().map(|row| {
            Ok(Receipt {
                reader: RawId::new(row.get::<String>(0)?),
                message: row.get(1)?,
                read: row.get(2)?,
            })
        });
        let mut receipts = receipts.collect::<Result<Vec<_>>>()?;
        let more = cut(&mut receipts, size);
        Ok((receipts, more))
    }

    /// The first and the last message that the caller may see. Who was removed sees the thread as it
    /// was then.
    async fn view(&self, access: &Access, thread: &str) -> Result<(MessageId, MessageId)> {
        check_scope(&access.caller, Right::TakePart)?;
        let who = &access.caller.id;
        let state = self.thread(access, thread).await?;
        if let Some(present) = state.participant(who) {
            return Ok((present.visible_from, MessageId::MAX));
        }
        let former = store::former_view(&self.0.db, thread, who).await?;
        former.ok_or_else(|| rules::not_a_member(thread, who))
    }
}

/// Cuts a list that was asked for one more than is shown; whether there was more.
fn cut<T>(list: &mut Vec<T>, size: u16) -> bool {
    let more = list.len() > size.into();
    list.truncate(size.into());
    more
}
