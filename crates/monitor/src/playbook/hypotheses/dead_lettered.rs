//! Events or pushes were given up. Observed in the dead letters.

use kernel::Stage;

use super::{Hypothesis, subscriptions, with_journey};
use crate::playbook::facts::{Dead, Facts, Found, Need, Subscription};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, span, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "dead-lettered",
    title: "Events were given up and dead-lettered",
    symptoms: &[Symptom::Webhook],
    needs: &[Need::Subscriptions, Need::Journeys],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let subscriptions = subscriptions(question, facts)?;
    let is_recent = |dead: &Dead| facts.now.since(dead.last) <= facts.window;
    let evidence = subscriptions
        .iter()
        .filter(|it| it.dead_letters.iter().any(is_recent))
        .map(|it| given_up(it, facts))
        .collect();
    let evidence = with_journey(evidence, facts, ("delivery", Stage::DeadLettered), &["eventgrid"]);
    let cure =
        Mitigation::new("Look at why they were given up, mend the destination, and put them back:")
            .command("tidings events redrive --all");
    let fine = format!("No event was given up within {}.", span(facts.window));
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)).and(
        Mitigation::new("See each of them with its event:").command("tidings events dead-letters"),
    ))
}

fn given_up(it: &Subscription, facts: &Facts) -> Evidence {
    let reasons: Vec<String> = it.dead_letters.iter().map(|dead| reason(dead, facts)).collect();
    let events = count(it.dead, "event");
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    Evidence::observed(format!("{events} for '{}' given up{why}.", it.name))
}

fn reason(dead: &Dead, facts: &Facts) -> String {
    let Dead { reason, outcome, answer, count, last } = dead;
    let answer = if answer.is_empty() { String::new() } else { format!(" ({})", line(answer)) };
    format!("{count} {reason}, {outcome}{answer}, the last at {}", when(*last, facts.now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, rules_out, silent};

    #[test]
    fn dead_letters_are_told_with_their_reasons() {
        silent(&HYPOTHESIS);
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            let last = facts.now;
            let it = &mut facts.subscriptions.as_mut().unwrap()[0];
            let (reason, outcome) = ("refused".to_owned(), "BadRequest".to_owned());
            it.dead_letters = vec![Dead { reason, outcome, count: 2, last, ..Dead::default() }];
            it.dead = 2;
        });
        assert!(told.contains("refused, BadRequest"), "{told}");
    }

    #[test]
    fn dead_letters_of_before_the_window_are_none() {
        rules_out(&HYPOTHESIS, |facts| {
            let it = &mut facts.subscriptions.as_mut().unwrap()[0];
            it.dead_letters = vec![Dead { count: 1, ..Dead::default() }];
            it.dead = 1;
        });
    }
}
