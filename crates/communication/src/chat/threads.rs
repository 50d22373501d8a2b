//! Making, changing and deleting threads; adding and removing participants.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Result, Timestamp};

use super::change::{Actor, ChangeKind, ChatChange};
use super::entry::{Messages, Place};
use super::messages::{change, member_name};
use super::model::{
    Content, Message, MessageId, MessageKind, Metadata, Participant, Retention, Thread,
};
use super::rules::{self, Right, check_scope, invalid, member};
use super::service::{Access, Chat, Decision, busy};
use super::store;
use crate::identifier::RawId;
use crate::time;

/// A thread as its creator wants it.
#[derive(Clone, Debug)]
pub struct NewThread {
    /// What it is about.
    pub topic: String,
    /// Who is in it from the beginning, besides the creator.
    pub participants: Vec<NewParticipant>,
    /// What the application attaches.
    pub metadata: Metadata,
    /// How long it is kept.
    pub retention: Retention,
    /// Repeating a request with the same id leads to the thread that the first one has made.
    pub request_id: Option<String>,
}

/// Somebody who is to be in a thread.
#[derive(Clone, Debug)]
pub struct NewParticipant {
    /// Who.
    pub id: RawId,
    /// The name that others see.
    pub display_name: Option<String>,
    /// From when on the history is shown; nothing of it without.
    pub share_history: Option<Timestamp>,
    /// What the application attaches.
    pub metadata: Metadata,
}

/// A participant who could not be added, while the others were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who.
    pub id: RawId,
    /// The class of the reason, as a status.
    pub code: String,
    /// The reason.
    pub message: String,
}

/// A new thread.
#[derive(Clone, Debug)]
pub struct Created {
    /// The thread.
    pub thread: Arc<Thread>,
    /// Who is not in it, though wanted.
    pub refused: Vec<Refused>,
}

/// What is to change in a thread.
#[derive(Clone, Debug, Default)]
pub struct ThreadPatch {
    /// A new topic.
    pub topic: Option<String>,
    /// Keys to set and to remove.
    pub metadata: MetadataPatch,
    /// How long it is kept from now on.
    pub retention: Option<Retention>,
}

/// A merge patch of metadata (RFC 7396).
#[derive(Clone, Debug, Default)]
pub enum MetadataPatch {
    /// Nothing changes.
    #[default]
    Keep,
    /// Everything goes.
    Clear,
    /// Keys with their new values; those without one go.
    Merge(BTreeMap<String, Option<String>>),
}

impl MetadataPatch {
    pub(super) fn apply(&self, metadata: &mut Metadata) {
        match self {
            Self::Keep => {}
            Self::Clear => metadata.clear(),
            Self::Merge(keys) => {
                for (key, value) in keys {
                    match value {
                        Some(value) => metadata.insert(key.clone(), value.clone()),
                        None => metadata.remove(key),
                    };
                }
            }
        }
    }
}

impl Chat {
    /// Makes a thread.
    ///
    /// # Errors
    /// When the token or a limit forbids it, or the store fails. A participant who cannot be added is
    /// no error.
    pub async fn create_thread(&self, access: &Access, new: NewThread) -> Result<Created> {
        check_scope(&access.caller, Right::ManageThreads)?;
        rules::check_topic(&new.topic)?;
        rules::check_metadata(&new.metadata)?;
        if let Some(created) = self.created_before(access, new.request_id.as_deref()).await? {
            return Ok(created);
        }
        let (mut participants, refused) = self.admitted(access, new.participants).await?;
        let creator = &access.caller.id;
        let beginning = Timestamp::default();
        let own = participants.iter().position(|it| it.id == *creator);
        let own = own.map(|at| participants.remove(at)).unwrap_or_else(|| nameless(creator));
        participants.insert(0, own);
        for participant in &mut participants {
            participant.share_history.get_or_insert(beginning);
        }
        let now = self.now();
        let thread = Thread {
            id: new_id().into(),
            resource: access.resource.name.as_str().into(),
            topic: new.topic.into(),
            metadata: Arc::new(new.metadata),
            retention: new.retention,
            created_by: creator.clone(),
            created: now,
            participants: participants.into(),
            revision: 1,
        };
        let refused_column = refused_column(&refused);
        let remembered = new.request_id.as_deref().map(|request| {
            store::remember_request(creator, request, &thread.id, &refused_column, now)
        });
        if let Some(thread) = self.begin(thread, remembered, now).await? {
            return Ok(Created { thread, refused });
        }
        // The same request came twice at once, and the other one was first.
        let before = self.created_before(access, new.request_id.as_deref()).await?;
        before.ok_or_else(busy)
    }

    /// Changes the properties of a thread.
    ///
    /// # Errors
    /// As [`Chat::create_thread`]; also when the caller is not in it.
    pub async fn update_thread(
        &self,
        access: &Access,
        thread: &str,
        patch: &ThreadPatch,
    ) -> Result<()> {
        check_scope(&access.caller, Right::ManageThreads)?;
        patch.topic.as_deref().map_or(Ok(()), rules::check_topic)?;
        let who = &access.caller.id;
        self.change(&access.resource.name, thread, |state, place, now| {
            member(state, who)?;
            let mut metadata = (*state.metadata).clone();
            patch.metadata.apply(&mut metadata);
            rules::check_metadata(&metadata)?;
            let topic = patch.topic.as_deref().filter(|topic| **topic != *state.topic);
            let after = Arc::new(Thread {
                topic: topic.map_or_else(|| Arc::clone(&state.topic), Into::into),
                metadata: Arc::new(metadata),
                retention: patch.retention.unwrap_or(state.retention),
                revision: state.revision + 1,
                ..(**state).clone()
            });
            let told = topic.map(|_| Content::Topic {
                topic: Arc::clone(&after.topic),
                initiator: who.clone(),
            });
            let (mut statements, messages) = guarded(state, place, MessageKind::TopicUpdated, told);
            statements.push(store::update_thread(&after, now));
            let change = change(&after, actor(state, who), now, ChangeKind::ThreadUpdated);
            Ok(Decision { change, statements, messages })
        })
        .await
        .map(|_| ())
    }

    /// Deletes a thread. Its messages go soon after.
    ///
    /// # Errors
    /// As [`Chat::update_thread`].
    pub async fn delete_thread(&self, access: &Access, thread: &str) -> Result<()> {
        check_scope(&access.caller, Right::ManageThreads)?;
        let who = &access.caller.id;
        self.change(&access.resource.name, thread, |state, _, now| {
            member(state, who)?;
            Ok(deletion(state, actor(state, who), now))
        })
        .await
        .map(|_| ())
    }

    /// Adds participants; returns those who could not be added.
    ///
    /// # Errors
    /// As [`Chat::update_thread`].
    pub async fn add_participants(
        &self,
        access: &Access,
        thread: &str,
        new: Vec<NewParticipant>,
    ) -> Result<Vec<Refused>> {
        check_scope(&access.caller, Right::ManageParticipants)?;
        if new.is_empty() {
            return Err(invalid("At least one participant is needed.").target("participants"));
        }
        let who = &access.caller.id;
        member(&*self.thread(access, thread).await?, who)?;
        let (admitted, refused) = self.admitted(access, new).await?;
        for _ in 0..ATTEMPTS {
            let entry = self.entry(&access.resource.name, thread).await?;
            let state = entry.thread().ok_or_else(|| rules::no_such_thread(thread))?;
            // Who is in already stays as they are.
            if admitted.iter().all(|it| state.participant(&it.id).is_some()) {
                return member(&state, who).map(|_| refused);
            }
            let attempt = self.attempt(&entry, thread, |state, place, _| {
                member(state, who)?;
                addition(state, who, &admitted, place)
            });
            if attempt.await?.is_some() {
                return Ok(refused);
            }
        }
        Err(busy())
    }

    /// Removes a participant, perhaps oneself. One who is not there is gone.
    ///
    /// # Errors
    /// As [`Chat::update_thread`].
    pub async fn remove_participant(
        &self,
        access: &Access,
        thread: &str,
        gone: &RawId,
    ) -> Result<()> {
        check_scope(&access.caller, Right::ManageParticipants)?;
        let who = &access.caller.id;
        let state = self.thread(access, thread).await?;
        member(&state, who)?;
        if state.participant(gone).is_none() {
            return Ok(());
        }
        self.change(&access.resource.name, thread, |state, place, _| {
            member(state, who)?;
            Ok(removal(state, who, gone, place))
        })
        .await
        .map(|_| ())
    }

    /// Writes a new thread with the messages that tell of its beginning; `None` when its request was
    /// made before.
    async fn begin(
        &self,
        thread: Thread,
        remembered: Option<storage::Statement>,
        now: Timestamp,
    ) -> Result<Option<Arc<Thread>>> {
        let creator = thread.created_by.clone();
        let first = time::to_millis(now);
        let content = Content::Participants {
            participants: thread.participants.to_vec(),
            initiator: creator.clone(),
        };
        let place = |sequence, id| Place { sequence, id };
        let added = system(place(1, first), MessageKind::ParticipantAdded, content);
        let topic = Content::Topic { topic: Arc::clone(&thread.topic), initiator: creator.clone() };
        let named = system(place(2, first + 1), MessageKind::TopicUpdated, topic);

        let mut statements = vec![store::insert_thread(&thread, &named)];
        let participants = (1_i64..).zip(thread.participants.iter());
        statements.extend(participants.map(|(at, it)| store::add_participant(&thread.id, it, at)));
        statements.push(store::insert_message(&thread.id, &added));
        statements.push(store::insert_message(&thread.id, &named));
        statements.extend(remembered);

        let entry = self.introduce(store::Loaded {
            thread: thread.clone(),
            deleted: false,
            last_sequence: named.sequence,
            last_message: named.id,
        });
        let thread = Arc::new(thread);
        let change = change(&thread, actor(&thread, &creator), now, ChangeKind::ThreadCreated);
        let ((), turn) = entry.decide(now, |_, _| Ok(((), Messages::None)))?;
        let written = self.write_new(statements, turn, Arc::new(change)).await;
        if !matches!(written, Ok(true)) {
            entry.forget();
        }
        Ok(written?.then_some(thread))
    }

    async fn created_before(
        &self,
        access: &Access,
        request: Option<&str>,
    ) -> Result<Option<Created>> {
        let Some(request) = request else { return Ok(None) };
        let before = store::request(&self.0.db, &access.caller.id, request).await?;
        let Some((thread, refused)) = before else { return Ok(None) };
        let loaded = store::load(&self.0.db, &access.resource.name, &thread).await?;
        let loaded = loaded.ok_or_else(|| rules::no_such_thread(&thread))?;
        let refused = serde_json::from_str::<Vec<(String, String, String)>>(&refused)
            .map_err(|_| super::stored::damaged("list of refusals"))?;
        let refused = refused.into_iter().map(|(id, code, message)| Refused {
            id: RawId::new(id),
            code,
            message,
        });
        Ok(Some(Created { thread: Arc::new(loaded.thread), refused: refused.collect() }))
    }

    /// Those who can be in a thread of this resource, each once, and those who cannot.
    async fn admitted(
        &self,
        access: &Access,
        new: Vec<NewParticipant>,
    ) -> Result<(Vec<Participant>, Vec<Refused>)> {
        if new.len() > rules::MAX_PARTICIPANTS_AT_ONCE {
            let message = format!(
                "A request has at most {} participants, not {}. Add the others with further \
                 requests.",
                rules::MAX_PARTICIPANTS_AT_ONCE,
                new.len()
            );
            return Err(invalid(message).target("participants"));
        }
        let mut seen = HashSet::new();
        let new: Vec<_> = new.into_iter().filter(|it| seen.insert(it.id.clone())).collect();
        let ids: Vec<RawId> = new.iter().map(|it| it.id.clone()).collect();
        let existing = self.0.identities.existing(&ids).await?;
        let (mut admitted, mut refused) = (Vec::new(), Vec::new());
        for NewParticipant { id, display_name, share_history, metadata } in new {
            rules::check_display_name(display_name.as_deref())?;
            rules::check_metadata(&metadata)?;
            if !id.belongs_to(&access.resource.id) {
                let message = "The participant is not a user of this resource.".to_owned();
                refused.push(Refused { id, code: "403".to_owned(), message });
            } else if !existing.contains(&id) {
                let message = "The identity does not exist; it may have been deleted.".to_owned();
                refused.push(Refused { id, code: "404".to_owned(), message });
            } else {
                let display_name = display_name.map(Into::into);
                let metadata = Arc::new(metadata);
                admitted.push(Participant {
                    id,
                    display_name,
                    share_history,
                    metadata,
                    visible_from: 0,
                });
            }
        }
        Ok((admitted, refused))
    }
}

/// How often an addition is decided anew.
const ATTEMPTS: usize = 16;

fn addition(
    state: &Arc<Thread>,
    who: &RawId,
    admitted: &[Participant],
    place: Place,
) -> Result<Decision> {
    let new = admitted.iter().filter(|it| state.participant(&it.id).is_none());
    let new: Vec<Participant> = new
        .map(|it| Participant {
            visible_from: first_visible(it.share_history, place.id),
            ..it.clone()
        })
        .collect();
    let count = state.participants.len() + new.len();
    if count > rules::MAX_PARTICIPANTS {
        let message = format!(
            "A thread has at most {} participants; with these it would have {count}.",
            rules::MAX_PARTICIPANTS
        );
        return Err(invalid(message).target("participants"));
    }
    let after = Arc::new(Thread {
        participants: state.participants.iter().chain(&new).cloned().collect(),
        revision: state.revision + 1,
        ..(**state).clone()
    });
    let told = Content::Participants { participants: new.clone(), initiator: who.clone() };
    let (mut statements, messages) =
        guarded(state, place, MessageKind::ParticipantAdded, Some(told));
    // Sequence numbers grow, and one addition has at most 200: positions never meet.
    let positions = place.sequence * 1_000..;
    let added = positions.zip(&new).map(|(at, it)| store::add_participant(&state.id, it, at));
    statements.extend(added);
    let at = time::from_millis(place.id);
    statements.push(store::update_thread(&after, at));
    let kind = ChangeKind::ParticipantsAdded(new);
    Ok(Decision { change: change(&after, actor(state, who), at, kind), statements, messages })
}

fn removal(state: &Arc<Thread>, who: &RawId, gone: &RawId, place: Place) -> Decision {
    let (removed, stay): (Vec<_>, Vec<_>) =
        state.participants.iter().cloned().partition(|it| it.id == *gone);
    let after = Arc::new(Thread {
        participants: stay.into(),
        revision: state.revision + 1,
        ..(**state).clone()
    });
    let told = Content::Participants { participants: removed.clone(), initiator: who.clone() };
    let (mut statements, messages) =
        guarded(state, place, MessageKind::ParticipantRemoved, Some(told));
    statements.push(store::remove_participant(&state.id, gone, place.id));
    let at = time::from_millis(place.id);
    statements.push(store::update_thread(&after, at));
    let kind = ChangeKind::ParticipantsRemoved(removed);
    Decision { change: change(&after, actor(state, who), at, kind), statements, messages }
}

/// The end of a thread; without an actor it is the retention policy's.
pub(super) fn deletion(state: &Arc<Thread>, actor: Option<Actor>, now: Timestamp) -> Decision {
    let after = Arc::new(Thread { revision: state.revision + 1, ..(**state).clone() });
    let statements = vec![store::guard(state), store::delete_thread(&after, now)];
    let change: ChatChange = change(&after, actor, now, ChangeKind::ThreadDeleted);
    Decision { change, statements, messages: Messages::None }
}

/// The guard of a change, with the message that tells of it in the thread, if one does.
fn guarded(
    state: &Thread,
    place: Place,
    kind: MessageKind,
    told: Option<Content>,
) -> (Vec<storage::Statement>, Messages) {
    let Some(content) = told else { return (vec![store::guard(state)], Messages::None) };
    let message = system(place, kind, content);
    let statements = vec![
        store::guard_place(state, place.sequence, place.id),
        store::insert_message(&state.id, &message),
    ];
    (statements, Messages::One)
}

fn system(place: Place, kind: MessageKind, content: Content) -> Message {
    Message {
        id: place.id,
        sequence: place.sequence,
        version: place.id,
        content: Some(content),
        kind,
        sender: None,
        sender_display_name: None,
        metadata: Metadata::new(),
        edited: None,
        deleted: None,
    }
}

/// The history begins where it was shared from, and with one's own coming at the latest.
fn first_visible(share: Option<Timestamp>, came: MessageId) -> MessageId {
    share.map_or(came, |share| time::to_millis(share).clamp(0, came))
}

fn actor(thread: &Thread, who: &RawId) -> Option<Actor> {
    Some(Actor { id: who.clone(), display_name: member_name(thread, who) })
}

fn nameless(id: &RawId) -> Participant {
    Participant {
        id: id.clone(),
        display_name: None,
        share_history: None,
        metadata: Arc::default(),
        visible_from: 0,
    }
}

fn refused_column(refused: &[Refused]) -> String {
    let rows: Vec<_> =
        refused.iter().map(|it| (it.id.as_str(), it.code.as_str(), it.message.as_str())).collect();
    serde_json::to_string(&rows).expect("text is JSON")
}

/// A new thread id; whoever does not know it cannot guess it.
fn new_id() -> String {
    let mut random = [0; 30];
    rand::fill(&mut random).expect("the system's random source answers");
    format!("19:acsV1_{}@thread.v2", URL_SAFE_NO_PAD.encode(random))
}
