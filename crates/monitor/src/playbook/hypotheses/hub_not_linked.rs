//! Devices wait for pushes about chat, and no notification hub carries them. Observed.

use super::{Hypothesis, known};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::count;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "hub-not-linked",
    title: "No notification hub is linked",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let link = known(&facts.link)?;
    let phones: u64 = link.phones.values().sum();
    if let Some(hub) = &link.hub {
        return Ok(Judgement::ruled_out(Evidence::observed(format!("{} is linked.", hub.id))));
    }
    if phones == 0 {
        let text = "No device has registered for pushes about chat, so none is missing a hub.";
        return Ok(Judgement::ruled_out(Evidence::inferred(text)));
    }
    let text = format!(
        "{} registered for pushes, and the Communication resource has no hub: nothing is sent.",
        match phones {
            1 => "1 device is".to_owned(),
            phones => format!("{} are", count(phones, "device")),
        }
    );
    let cure = Mitigation::new(
        "Link a hub: linkNotificationHub of the management SDK, with the hub's resource id and a \
         connection string that may send, or the page Push notifications of the console.",
    );
    Ok(Judgement::confirmed(vec![Evidence::observed(text)], cure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, rules_out, silent};

    #[test]
    fn devices_without_a_hub_are_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| facts.link.as_mut().unwrap().hub = None);
    }

    #[test]
    fn where_no_device_waits_no_hub_is_missing() {
        rules_out(&HYPOTHESIS, |facts| {
            let link = facts.link.as_mut().unwrap();
            link.hub = None;
            link.phones.clear();
        });
    }
}
