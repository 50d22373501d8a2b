//! The push service does not know a device any more: the app was removed, or has a new token. Observed.

use super::{Hypothesis, PUSH_SERVICE, and_more, known, with_journey};
use crate::playbook::facts::{Dead, Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "dead-device-token",
    title: "The device's token is dead",
    symptoms: &[Symptom::Push],
    needs: &[Need::Hubs, Need::Pushes, Need::Journeys],
    judge,
};

/// What telemetry calls a handle that reaches nobody.
const DEAD: [&str; 2] = ["BadChannel", "ExpiredChannel"];
/// What ends a push of chat to such a device.
const GONE: &str = "DeviceGone";

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let hubs = known(&facts.hubs).map(|hubs| {
        let ended = hubs.iter().flat_map(|hub| {
            let ended = hub.ended_in(&DEAD).into_iter();
            ended.map(move |(platform, devices)| (hub.name.as_str(), platform, devices))
        });
        ended
            .map(|(hub, platform, devices)| {
                let devices = count(devices, "send");
                Evidence::observed(format!(
                    "{devices} of '{hub}' to {platform} ended with a device that the push service does \
                     not know."
                ))
            })
            .collect()
    });
    let pushes = known(&facts.pushes).map(|pushes| {
        let gone = pushes.iter().filter(|it| it.outcome == GONE);
        gone.map(|it| given_up(it, facts)).collect::<Vec<_>>()
    });
    let evidence = and_more(pushes?, hubs)?;
    let evidence = with_journey(evidence, facts, PUSH_SERVICE, &DEAD);
    let cure = Mitigation::new(
        "Let the app register again with its present token each time that it starts. Dead devices are \
         removed by themselves, once the credential is known to reach others.",
    )
    .command("tidings push devices");
    let fine = "Push services know every device that was sent to.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn given_up(it: &Dead, facts: &Facts) -> Evidence {
    let pushes = count(it.count, "push");
    let last = when(it.last, facts.now);
    let answer = line(&it.answer);
    Evidence::observed(format!("{pushes} about chat given up, the last at {last}: {answer}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, silent};

    #[test]
    fn a_device_that_is_gone_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let (outcome, count) = (GONE.to_owned(), 2);
            facts.pushes = Ok(vec![Dead { outcome, count, ..Dead::default() }]);
        });
    }

    #[test]
    fn handles_that_push_services_do_not_know_are_told() {
        for outcome in DEAD {
            confirms(&HYPOTHESIS, "Observed", |facts| {
                let ended = ("apple".to_owned(), outcome.to_owned(), 1);
                facts.hubs.as_mut().unwrap()[0].outcomes.push(ended);
            });
        }
    }
}
