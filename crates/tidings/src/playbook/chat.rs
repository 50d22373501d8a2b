//! Chat: who should have been told, who is in a thread, how clients answer.

use std::sync::Arc;

use ::communication::RawId;
use ::communication::standing::{self, Membership as Member, Standing, Whom};
use ::monitor::playbook::{Answers, Audience, Found, Membership, Phone, Question, Receiver};

use super::{Installation, unknown};

impl Installation {
    /// Those for whom messages came, or the user that was asked about, or whose device was.
    pub(super) async fn receivers(&self, question: &Question) -> Found<Audience> {
        let user = match (&question.user, &question.device) {
            (None, Some(device)) => {
                standing::owner(&self.db, device).await.map_err(|error| unknown(&error))?
            }
            (user, _) => user.as_deref().map(RawId::new),
        };
        let whom = Whom { user, thread: question.thread.clone() };
        let since = self.clock.now() - question.since;
        let found = standing::standings(&self.db, &whom, since).await;
        let (standings, more) = found.map_err(|error| unknown(&error))?;
        let presence = Arc::clone(self.phones.presence());
        let receivers = standings.into_iter().map(|it| {
            let connected = u64::from(presence.is_connected(&it.user));
            receiver(it, connected)
        });
        Ok(Audience { receivers: receivers.collect(), more })
    }

    /// Whether the user of the question is in its thread.
    pub(super) async fn member(&self, question: &Question) -> Found<Option<Membership>> {
        let (Some(thread), Some(user)) = (&question.thread, &question.user) else {
            return Ok(None);
        };
        let found = standing::membership(&self.db, thread, &RawId::new(user.as_str())).await;
        let found = found.map_err(|error| unknown(&error))?;
        Ok(Some(Membership {
            thread: thread.clone(),
            user: user.clone(),
            thread_exists: found != Member::NoThread,
            is_member: found == Member::Present,
            left: match found {
                Member::Left(at) => Some(at),
                Member::NoThread | Member::Never | Member::Present => None,
            },
        }))
    }

    /// How clients have answered each kind of notification.
    pub(super) fn answered(&self) -> Vec<Answers> {
        let answers = self.communication.answers().into_iter().map(|(event, count)| Answers {
            event: event.to_owned(),
            handled: count.handled,
            unhandled: count.unhandled,
            failed: count.failed,
        });
        answers.filter(|it| it.handled + it.unhandled + it.failed > 0).collect()
    }
}

fn receiver(standing: Standing, connected: u64) -> Receiver {
    let Standing { user, exists, messages, registered_until, devices } = standing;
    let phones = devices.into_iter().map(|it| Phone {
        id: it.id,
        platform: it.platform,
        expires: it.expires,
    });
    Receiver {
        user: user.as_str().to_owned(),
        exists,
        messages,
        connected,
        registered_until,
        phones: phones.collect(),
    }
}
