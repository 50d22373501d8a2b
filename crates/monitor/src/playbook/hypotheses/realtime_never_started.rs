//! Messages are there for a user, and no client of the user has ever asked to be told of them.
//! Inferred: without a connection or registration nobody can be told.

use super::{Hypothesis, known};
use crate::playbook::facts::{Facts, Found, Need, Receiver, Unknown};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, span};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "realtime-never-started",
    title: "Real-time notifications were never started",
    symptoms: &[Symptom::Realtime],
    needs: &[Need::Audience],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let audience = known(&facts.audience)?;
    let named = question.user.is_some();
    if let Some(unknown) = audience.receivers.iter().find(|it| named && !it.exists) {
        let why = format!("There is no user {} at this server.", unknown.user);
        return Err(Unknown::new(why, "Give the raw id that the token of the user has."));
    }
    let evidence: Vec<Evidence> = audience
        .receivers
        .iter()
        .filter(|it| is_silent(it, named, facts))
        .map(|it| missing(it, facts))
        .collect();
    let cure = Mitigation::new(
        "Call chatClient.startRealtimeNotifications() and wait for it before chatClient.on(…), in the \
         page of this very user; it works in browsers only.",
    );
    let connected = audience.receivers.iter().filter(|it| it.connected > 0).count() as u64;
    let fine = match audience.receivers.is_empty() {
        true => format!("Nobody was sent a chat message within {}.", span(facts.window)),
        false => format!(
            "Of {} of chat messages {connected} have a connection, and the others have been here or \
             have a device.",
            count(audience.receivers.len() as u64, "receiver")
        ),
    };
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

/// Whether nothing tells that the user ever listened. A user who is asked about counts without any
/// message; of others, a device that is pushed to is enough.
fn is_silent(it: &Receiver, named: bool, facts: &Facts) -> bool {
    let ever_listened = it.connected > 0 || it.registered_until.is_some();
    let is_expected = named || (it.messages > 0 && !it.is_reachable(facts.now));
    it.exists && !ever_listened && is_expected
}

fn missing(it: &Receiver, facts: &Facts) -> Evidence {
    Evidence::inferred(format!(
        "{} has no connection for notifications and never registered one; {} came for this user within \
         {}.",
        it.user,
        count(it.messages, "message"),
        span(facts.window)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, phone, receiver, rules_out, silent};

    fn never() -> Receiver {
        Receiver { connected: 0, registered_until: None, ..receiver() }
    }

    #[test]
    fn a_user_with_messages_who_never_listened_is_told() {
        silent(&HYPOTHESIS);
        let told = confirms(&HYPOTHESIS, "Inferred", |facts| {
            facts.audience.as_mut().unwrap().receivers = vec![receiver(), never()];
        });
        assert!(told.contains("8:acs:r_ann"), "{told}");
    }

    #[test]
    fn who_is_away_or_pushed_to_is_no_fault() {
        rules_out(&HYPOTHESIS, |facts| {
            let away = Receiver { registered_until: Some(facts.now), ..never() };
            let pushed = Receiver { phones: vec![phone(facts, 60)], ..never() };
            let quiet = Receiver { messages: 0, ..never() };
            facts.audience.as_mut().unwrap().receivers = vec![away, pushed, quiet];
        });
    }

    #[test]
    fn of_a_user_who_is_not_known_nothing_can_be_told() {
        let mut facts = healthy();
        let stranger = Receiver { exists: false, ..never() };
        facts.audience.as_mut().unwrap().receivers = vec![stranger];
        let question = Question { user: Some("8:acs:r_ann".to_owned()), ..Question::default() };
        assert_eq!(HYPOTHESIS.judged(&question, &facts).verdict, Verdict::CannotTell);
    }

    #[test]
    fn a_user_who_is_asked_about_needs_no_message() {
        let mut facts = healthy();
        facts.audience.as_mut().unwrap().receivers = vec![Receiver { messages: 0, ..never() }];
        let question = Question { user: Some("8:acs:r_ann".to_owned()), ..Question::default() };
        assert_eq!(HYPOTHESIS.judged(&question, &facts).verdict, Verdict::Confirmed);
    }
}
