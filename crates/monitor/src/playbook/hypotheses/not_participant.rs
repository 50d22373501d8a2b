//! The user is not in the thread: never added, or removed. Observed, in the store and in refusals.

use kernel::Cause;

use super::{Hypothesis, and_more, known, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Membership, Need, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "not-participant",
    title: "The user is not a participant of the thread",
    symptoms: &[Symptom::Realtime, Symptom::Push, Symptom::Publish],
    needs: &[Need::Membership, Need::Records],
    judge,
};

const SIGN: Sign = Sign { tables: &[Table::Chat], statuses: &[], causes: &[Cause::NotParticipant] };

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let membership = known(&facts.membership)?.as_ref();
    let evidence = membership.and_then(|it| absent(it, facts)).into_iter().collect();
    let cure = Mitigation::new(
        "Add the user to the thread (chatThreadClient.addParticipants), by the id that the user's token \
         has; whoever was removed is told nothing more.",
    );
    if let Some(it) = membership.filter(|it| it.is_member) {
        let text = format!("{} is a participant of {}.", it.user, it.thread);
        return Ok(Judgement::by(evidence, cure, Evidence::observed(text)));
    }
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "refusal of somebody outside a thread")))
}

fn absent(it: &Membership, facts: &Facts) -> Option<Evidence> {
    let Membership { thread, user, thread_exists, is_member, left } = it;
    if *is_member {
        return None;
    }
    let text = match (thread_exists, left) {
        (false, _) => format!("There is no thread '{thread}'."),
        (true, Some(left)) => {
            format!("{user} was removed from {thread} at {}.", when(*left, facts.now))
        }
        (true, None) => format!("{user} was never added to {thread}."),
    };
    Some(Evidence::observed(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, failure, rules_out, silent};

    fn membership(thread_exists: bool, is_member: bool) -> Membership {
        let (thread, user) = ("19:t@thread.v2".to_owned(), "8:acs:r_ann".to_owned());
        Membership { thread, user, thread_exists, is_member, left: None }
    }

    #[test]
    fn a_user_outside_the_thread_is_told() {
        silent(&HYPOTHESIS);
        for (exists, words) in [(true, "never added"), (false, "no thread")] {
            let told = confirms(&HYPOTHESIS, "Observed", |facts| {
                facts.membership = Ok(Some(membership(exists, false)));
            });
            assert!(told.contains(words), "{told}");
        }
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            let left = Some(facts.now);
            facts.membership = Ok(Some(Membership { left, ..membership(true, false) }));
        });
        assert!(told.contains("removed"), "{told}");
    }

    #[test]
    fn refused_requests_are_told_unless_the_user_is_in_the_thread_by_now() {
        let refuse = |facts: &mut Facts| failure(facts, Table::Chat, Cause::NotParticipant);
        confirms(&HYPOTHESIS, "Observed", refuse);
        rules_out(&HYPOTHESIS, |facts| {
            refuse(facts);
            facts.membership = Ok(Some(membership(true, true)));
        });
    }
}
