//! Making, changing and deleting threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Result, Timestamp};

use super::change::{Actor, ChangeKind, ChatChange};
use super::entry::{Messages, Place};
use super::messages::{change, member_name};
use super::model::{Content, Message, MessageKind, Metadata, Participant, Retention, Thread};
use super::participants::{NewParticipant, Refused};
use super::rules::{self, Right, check_scope, member};
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
}

/// The end of a thread; without an actor it is the retention policy's.
pub(super) fn deletion(state: &Arc<Thread>, actor: Option<Actor>, now: Timestamp) -> Decision {
    let after = Arc::new(Thread { revision: state.revision + 1, ..(**state).clone() });
    let statements = vec![store::guard(state), store::delete_thread(&after, now)];
    let change: ChatChange = change(&after, actor, now, ChangeKind::ThreadDeleted);
    Decision { change, statements, messages: Messages::None }
}

/// The guard of a change, with the message that tells of it in the thread, if one does.
pub(super) fn guarded(
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

pub(super) fn actor(thread: &Thread, who: &RawId) -> Option<Actor> {
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
