//! Adding and removing participants.

use std::collections::HashSet;
use std::sync::Arc;

use kernel::{Result, Timestamp};

use super::change::ChangeKind;
use super::entry::Place;
use super::messages::change;
use super::model::{Content, MessageId, MessageKind, Metadata, Participant, Thread};
use super::rules::{self, Right, check_scope, invalid, member};
use super::service::{ATTEMPTS, Access, Chat, Decision, busy};
use super::store;
use super::threads::{actor, guarded};
use crate::identifier::RawId;
use crate::time;

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

impl Chat {
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

    /// Those who can be in a thread of this resource, each once, and those who cannot.
    pub(super) async fn admitted(
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

/// The history begins where it was shared from, and with one's own coming at the latest.
fn first_visible(share: Option<Timestamp>, came: MessageId) -> MessageId {
    share.map_or(came, |share| time::to_millis(share).clamp(0, came))
}
