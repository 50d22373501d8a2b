//! Events are published, and the filter of an event subscription passes all of them over. Observed.

use super::{Hypothesis, subscriptions};
use crate::playbook::facts::{Facts, Found, Need, Subscription};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "filtered-out",
    title: "Events are filtered out",
    symptoms: &[Symptom::Webhook],
    needs: &[Need::Subscriptions],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let named = question.subscription.is_some();
    let evidence = subscriptions(question, facts)?
        .iter()
        .filter_map(|it| passed_over(it, named, facts))
        .collect();
    let cure = Mitigation::new(
        "Compare the filter of the event subscription with an event: includedEventTypes, \
         subjectBeginsWith, subjectEndsWith (case counts if isSubjectCaseSensitive is set) and each of \
         advancedFilters must match. This shows events as they come:",
    )
    .command("tidings events tail");
    let fine = "Every event subscription that has seen events has got some of them.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

/// One that gets events has a filter that works; only who asks about it is told what it passes over.
fn passed_over(it: &Subscription, named: bool, facts: &Facts) -> Option<Evidence> {
    let Subscription { name, topic, filtered, delivered, last_filtered, .. } = it;
    let gets_some = *delivered + it.queued + it.in_flight + it.dead > 0;
    if *filtered == 0 || (gets_some && !named) {
        return None;
    }
    let last = last_filtered.as_ref().map_or_else(String::new, |(event, at)| {
        format!("; the last was {} at {}", line(event), when(*at, facts.now))
    });
    let events = count(*filtered, "event");
    Some(Evidence::observed(format!(
        "The filter of '{name}' passed over {events} of {topic} since the server was started, and took \
         {delivered}{last}."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, rules_out, silent};

    fn pass_over(facts: &mut Facts, delivered: u64) {
        let event = Some(("Order.Made of /orders/7".to_owned(), facts.now));
        let it = &mut facts.subscriptions.as_mut().unwrap()[0];
        (it.filtered, it.delivered, it.last_filtered) = (2, delivered, event);
    }

    #[test]
    fn a_filter_that_takes_nothing_is_told_with_what_it_saw() {
        silent(&HYPOTHESIS);
        let told = confirms(&HYPOTHESIS, "Observed", |facts| pass_over(facts, 0));
        assert!(told.contains("Order.Made of /orders/7"), "{told}");
    }

    #[test]
    fn a_filter_that_takes_some_is_told_to_whoever_asks_about_it() {
        rules_out(&HYPOTHESIS, |facts| pass_over(facts, 1));
        let mut facts = healthy();
        pass_over(&mut facts, 1);
        let question = Question { subscription: Some("orders".to_owned()), ..Question::default() };
        assert_eq!(HYPOTHESIS.judged(&question, &facts).verdict, Verdict::Confirmed);
    }
}
