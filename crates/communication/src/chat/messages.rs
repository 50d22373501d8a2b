//! Writing, editing and deleting messages; typing and read receipts.

use std::sync::Arc;

use kernel::milestone::{Note, Stage};
use kernel::{Journey, Result, Timestamp, journey};
use uuid::Uuid;

use super::change::{Actor, ChangeKind, ChatChange};
use super::entry::Messages;
use super::model::{Content, Message, MessageId, MessageKind, Metadata, Thread};
use super::rules::{self, Right, check_scope, member};
use super::sanitize::sanitize;
use super::service::{Access, Chat, Decision, busy};
use super::store;
use super::threads::MetadataPatch;
use crate::ports::Committed;
use crate::time;

/// A message as its sender wants it.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What it says.
    pub content: String,
    /// Text or HTML.
    pub kind: MessageKind,
    /// The name to show instead of the one in the thread.
    pub sender_display_name: Option<String>,
    /// What the application attaches.
    pub metadata: Metadata,
}

/// What is to change in a message.
#[derive(Clone, Debug, Default)]
pub struct MessagePatch {
    /// What it says from now on.
    pub content: Option<String>,
    /// Keys to set and to remove.
    pub metadata: MetadataPatch,
}

impl Chat {
    /// Sends a message; it is on disk, with all that it causes, when this returns.
    ///
    /// # Errors
    /// When the token, the membership or a limit forbids it, or the store fails.
    pub async fn send(&self, access: &Access, thread: &str, new: NewMessage) -> Result<Message> {
        check_scope(&access.caller, Right::TakePart)?;
        rules::check_message(&new.content, &new.metadata)?;
        rules::check_display_name(new.sender_display_name.as_deref())?;
        note_authorised(access);
        let content = harmless(new.kind, new.content, &new.metadata)?;
        let name: Option<Arc<str>> = new.sender_display_name.map(Into::into);
        let sender = &access.caller.id;
        let change = self.change(&access.resource.name, thread, |state, place, _| {
            let display_name = name.clone().or_else(|| member_name(state, sender));
            member(state, sender)?;
            let message = Message {
                id: place.id,
                sequence: place.sequence,
                version: place.id,
                content: Some(Content::Text(content.clone())),
                kind: new.kind,
                sender: Some(sender.clone()),
                sender_display_name: display_name.clone(),
                metadata: new.metadata.clone(),
                edited: None,
                deleted: None,
            };
            let statements = vec![
                store::guard_place(state, place.sequence, place.id),
                store::insert_message(&state.id, &message),
            ];
            let actor = Some(Actor { id: sender.clone(), display_name });
            let at = message.created();
            let kind = ChangeKind::MessageReceived(message);
            let change = change(state, actor, at, kind);
            Ok(Decision { change, statements, messages: Messages::One })
        });
        match &change.await?.kind {
            ChangeKind::MessageReceived(message) => Ok(message.clone()),
            other => unreachable!("a message was sent, not {other:?}"),
        }
    }

    /// Changes a message of one's own.
    ///
    /// # Errors
    /// As [`Chat::send`]; also when the message is somebody else's or gone.
    pub async fn edit(
        &self,
        access: &Access,
        thread: &str,
        id: MessageId,
        patch: &MessagePatch,
    ) -> Result<()> {
        self.rewrite(access, thread, id, |message, now| {
            if let Some(content) = &patch.content {
                rules::check_message(content, &message.metadata)?;
                let content = harmless(message.kind, content.clone(), &message.metadata)?;
                message.content = Some(Content::Text(content));
            }
            patch.metadata.apply(&mut message.metadata);
            rules::check_message(message.text(), &message.metadata)?;
            message.edited = Some(now);
            Ok(ChangeKind::MessageEdited(message.clone()))
        })
        .await
    }

    /// Deletes a message of one's own: it stays listed, without content.
    ///
    /// # Errors
    /// As [`Chat::edit`].
    pub async fn delete_message(&self, access: &Access, thread: &str, id: MessageId) -> Result<()> {
        self.rewrite(access, thread, id, |message, now| {
            message.content = None;
            message.metadata = Metadata::new();
            message.deleted = Some(now);
            Ok(ChangeKind::MessageDeleted(message.clone()))
        })
        .await
    }

    /// Tells the others that the caller is typing.
    ///
    /// # Errors
    /// As [`Chat::send`]; also in a thread that is too large for it.
    pub async fn typing(
        &self,
        access: &Access,
        thread: &str,
        display_name: Option<String>,
    ) -> Result<()> {
        check_scope(&access.caller, Right::TakePart)?;
        rules::check_display_name(display_name.as_deref())?;
        let entry = self.entry(&access.resource.name, thread).await?;
        let name: Option<Arc<str>> = display_name.map(Into::into);
        let who = &access.caller.id;
        let now = self.now();
        let (change, turn) = entry.decide(now, |state, _| {
            let state = state.ok_or_else(|| rules::no_such_thread(thread))?;
            member(state, who)?;
            rules::check_presence(state)?;
            let display_name = name.or_else(|| member_name(state, who));
            let actor = Some(Actor { id: who.clone(), display_name });
            Ok((change(state, actor, now, ChangeKind::Typing), Messages::None))
        })?;
        // Nothing is stored, but it has its place: typing that is told after the message that it
        // led to would be shown for good.
        turn.written(Arc::new(change), Committed::default());
        Ok(())
    }

    /// Notes that the caller has read up to a message.
    ///
    /// # Errors
    /// As [`Chat::typing`]; also when the message does not exist.
    pub async fn read(&self, access: &Access, thread: &str, id: MessageId) -> Result<()> {
        check_scope(&access.caller, Right::TakePart)?;
        let state = self.thread(access, thread).await?;
        let who = &access.caller.id;
        let visible = member(&state, who)?.visible_from;
        let message = store::message(&self.0.db, thread, id).await?;
        if message.is_none_or(|message| message.id < visible) {
            return Err(rules::no_such_message(thread, &id.to_string()));
        }
        self.change(&access.resource.name, thread, |state, _, now| {
            member(state, who)?;
            rules::check_presence(state)?;
            let statements = vec![store::guard(state), store::put_receipt(&state.id, who, id, now)];
            let actor = Some(Actor { id: who.clone(), display_name: member_name(state, who) });
            let change = change(state, actor, now, ChangeKind::Read { message: id });
            Ok(Decision { change, statements, messages: Messages::None })
        })
        .await
        .map(|_| ())
    }

    /// Changes a message of the caller's until nobody else has changed it meanwhile.
    async fn rewrite(
        &self,
        access: &Access,
        thread: &str,
        id: MessageId,
        mut rewrite: impl FnMut(&mut Message, Timestamp) -> Result<ChangeKind>,
    ) -> Result<()> {
        check_scope(&access.caller, Right::TakePart)?;
        let who = &access.caller.id;
        for _ in 0..REWRITES {
            let entry = self.entry(&access.resource.name, thread).await?;
            let found = store::message(&self.0.db, thread, id).await?;
            let attempt = self.attempt(&entry, thread, |state, _, now| {
                member(state, who)?;
                let mut message = own(state, who, found, id)?;
                let was = message.version;
                message.version = time::to_millis(now).max(was + 1);
                let kind = rewrite(&mut message, now)?;
                let statements =
                    vec![store::guard(state), store::update_message(&state.id, &message, was)];
                let display_name = message.sender_display_name;
                let actor = Some(Actor { id: who.clone(), display_name });
                let change = change(state, actor, now, kind);
                Ok(Decision { change, statements, messages: Messages::None })
            });
            if attempt.await?.is_some() {
                return Ok(());
            }
        }
        Err(busy())
    }
}

fn note_authorised(access: &Access) {
    journey::note("chat", || {
        let (user, resource) = (&access.caller.id, &access.resource.name);
        let text = format!("the token of {user} for the resource '{resource}'");
        Note::new(Stage::Authorised, text)
    });
}

/// How often a message is read anew when it changes at the same time.
const REWRITES: usize = 16;

/// A change by somebody, now. It is named as the request that asks for it, so that whoever knows the one
/// finds the other; a request makes one change. What nobody asks for has a name of its own.
pub(super) fn change(
    thread: &Arc<Thread>,
    actor: Option<Actor>,
    at: Timestamp,
    kind: ChangeKind,
) -> ChatChange {
    let request = Journey::current().and_then(|journey| journey.request());
    let name = request.map_or_else(|| Uuid::new_v4().simple().to_string(), |it| it.to_string());
    let transaction = name.into();
    ChatChange { thread: Arc::clone(thread), actor, at, transaction, kind }
}

pub(super) fn member_name(thread: &Thread, who: &crate::identifier::RawId) -> Option<Arc<str>> {
    thread.participant(who).and_then(|participant| participant.display_name.clone())
}

/// The message, if it is there and the caller's own.
fn own(
    thread: &Thread,
    who: &crate::identifier::RawId,
    found: Option<Message>,
    id: MessageId,
) -> Result<Message> {
    let absent = || rules::no_such_message(&thread.id, &id.to_string());
    let message = found.filter(|message| message.deleted.is_none()).ok_or_else(absent)?;
    if message.sender.as_ref() == Some(who) {
        return Ok(message);
    }
    Err(rules::forbidden(format!(
        "The message '{id}' is not the caller's own; only its sender can edit or delete it."
    ))
    .target("chatMessageId"))
}

fn harmless(kind: MessageKind, content: String, metadata: &Metadata) -> Result<String> {
    if kind != MessageKind::Html {
        return Ok(content);
    }
    let content = sanitize(&content);
    if content.is_empty() {
        let message = "Nothing of the message is left without its scripts and unknown elements.";
        return Err(rules::invalid(message).target("content"));
    }
    rules::check_message(&content, metadata).map(|()| content)
}
