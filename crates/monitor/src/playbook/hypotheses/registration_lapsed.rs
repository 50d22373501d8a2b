//! A registration has ended and was not renewed: of a page for notifications, or of a device for
//! pushes. Inferred from its end.

use super::{Hypothesis, known};
use crate::playbook::facts::{Audience, Facts, Found, Lapsed, Need, Receiver, Unknown};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "registration-lapsed",
    title: "A registration has lapsed",
    symptoms: &[Symptom::Realtime, Symptom::Push],
    needs: &[Need::Audience],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let audience = known(&facts.audience)?;
    let device = question.device.as_ref();
    if let Some(id) = device.filter(|id| !is_registered(id, audience)) {
        return Err(Unknown::new(
            format!("No device '{id}' is registered for pushes about chat."),
            "Let the app register (startPushNotifications) each time that it starts; the devices of \
             a hub itself are listed by `tidings push devices`.",
        ));
    }
    let is_named = question.user.is_some() || device.is_some();
    let evidence = audience
        .receivers
        .iter()
        .filter(|it| is_named || it.messages > 0)
        .filter(|it| device.is_some() || !it.is_reachable(facts.now))
        .flat_map(|it| ended(it, question, facts))
        .collect();
    let cure = Mitigation::new(
        "Register again: startRealtimeNotifications() renews by itself while the page is open; a \
         device calls startPushNotifications each time that the app starts.",
    );
    let fine = "Every registration of those who were sent messages holds.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn is_registered(device: &str, audience: &Audience) -> bool {
    audience.receivers.iter().flat_map(|it| &it.phones).any(|it| it.id == device)
}

fn ended(it: &Receiver, question: &Question, facts: &Facts) -> Vec<Evidence> {
    let is_meant = |it: &Lapsed| question.device.is_none() || it.device == question.device;
    let lapsed = it.lapsed(facts.now).into_iter().filter(is_meant);
    let tell = |what: String, at| {
        Evidence::inferred(format!("The {what} of {} ended at {}.", it.user, when(at, facts.now)))
    };
    lapsed.map(|it| tell(it.what, it.at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Phone;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, phone, receiver, rules_out, silent};

    #[test]
    fn a_device_whose_registration_has_ended_is_told() {
        silent(&HYPOTHESIS);
        let told = confirms(&HYPOTHESIS, "Inferred", |facts| {
            let away = Receiver { connected: 0, phones: vec![phone(facts, -60)], ..receiver() };
            facts.audience.as_mut().unwrap().receivers = vec![away];
        });
        assert!(told.contains("apple device 'd'"), "{told}");
    }

    #[test]
    fn asked_about_a_device_others_are_not_told() {
        let mut facts = healthy();
        let other = Phone { id: "a".to_owned(), ..phone(&facts, 60) };
        let both = Receiver { phones: vec![phone(&facts, -60), other], ..receiver() };
        facts.audience.as_mut().unwrap().receivers = vec![both];
        let verdict = |device: &str| {
            let question = Question { device: Some(device.to_owned()), ..Question::default() };
            HYPOTHESIS.judged(&question, &facts).verdict
        };
        assert_eq!((verdict("d"), verdict("a")), (Verdict::Confirmed, Verdict::RuledOut));
        assert_eq!(verdict("x"), Verdict::CannotTell);
    }

    #[test]
    fn a_page_whose_registration_has_ended_is_told() {
        confirms(&HYPOTHESIS, "Inferred", |facts| {
            let registered_until = Some(facts.now);
            let gone = Receiver { connected: 0, registered_until, phones: vec![], ..receiver() };
            facts.audience.as_mut().unwrap().receivers = vec![gone];
        });
    }

    #[test]
    fn a_registration_that_ended_is_no_fault_while_another_way_is_open() {
        rules_out(&HYPOTHESIS, |facts| {
            let phones = vec![phone(facts, -60), phone(facts, 60)];
            let pushed = Receiver { connected: 0, phones, ..receiver() };
            facts.audience.as_mut().unwrap().receivers = vec![pushed];
        });
    }
}
