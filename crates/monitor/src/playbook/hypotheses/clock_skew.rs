//! Clocks disagree: that of whoever answers at the endpoint with that of this machine (measured), or
//! that of whoever signed the token or a request (observed).

use kernel::Cause;

use super::{Hypothesis, and_more, known, seen};
use crate::playbook::facts::{Facts, Found, Need, RefusalKind, Sign, Table, Token};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{span, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "clock-skew",
    title: "Clocks disagree",
    symptoms: &[Symptom::Connect, Symptom::Publish, Symptom::Realtime, Symptom::Push],
    needs: &[Need::Reach, Need::Token, Need::Records],
    judge,
};

/// Seconds that clocks may differ before signed requests and tokens begin to fail.
const ALLOWED: u64 = 60;

/// Refusals of requests and tokens for the clock of their signer.
const SIGN: Sign = Sign {
    tables: &[
        Table::Auth,
        Table::Chat,
        Table::HttpRequests,
        Table::Connectivity,
        Table::Publications,
    ],
    statuses: &[],
    causes: &[Cause::ClockOff],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence = Vec::new();
    let reach = known(&facts.reach);
    for it in reach.iter().flat_map(|it| it.iter()) {
        let Some(ahead) = it.clock_ahead.filter(|ahead| ahead.unsigned_abs() > ALLOWED) else {
            continue;
        };
        let off = span(std::time::Duration::from_secs(ahead.unsigned_abs()));
        let side = if ahead > 0 { "ahead of" } else { "behind" };
        let text = format!("The clock behind {} is {off} {side} that of this server.", it.url);
        evidence.push(Evidence::measured(text));
    }
    evidence.extend(facts.token.iter().flatten().filter_map(|token| early(token, facts)));
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    reach?;
    let cure = Mitigation::new(
        "Set the clock of the machine that is off, and keep it set (NTP): access keys sign the time \
         along.",
    )
    .command("timedatectl status");
    let good = "The endpoint and this server agree about the time.";
    Ok(Judgement::by(evidence, cure, Evidence::measured(good)))
}

/// A token of the future.
fn early(token: &Token, facts: &Facts) -> Option<Evidence> {
    let begins = [token.issued, token.not_before].into_iter().flatten().max()?;
    let is_early = begins.since(facts.now).as_secs() > ALLOWED;
    let is_refused = token.refusal.as_ref().is_some_and(|it| it.kind == RefusalKind::NotYetValid);
    (is_early || is_refused).then(|| {
        let begins = when(begins, facts.now);
        Evidence::observed(format!("The token was issued, or begins, in the future: {begins}."))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::playbook::facts::{End, Reach};
    use crate::playbook::testing::{confirms, failure, reach, rules_out, silent};

    #[test]
    fn a_clock_that_is_off_at_the_endpoint_is_told() {
        silent(&HYPOTHESIS);
        for (ahead, side) in [(90, "ahead of"), (-400, "behind")] {
            let told = confirms(&HYPOTHESIS, "Measured", |facts| {
                facts.reach = Ok(vec![Reach { clock_ahead: Some(ahead), ..reach(End::Open) }]);
            });
            assert!(told.contains(side), "{told}");
        }
    }

    #[test]
    fn a_token_of_the_future_is_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let issued = Some(facts.now + Duration::from_secs(600));
            facts.token = Ok(Some(Token { issued, ..Token::default() }));
        });
    }

    #[test]
    fn requests_refused_for_their_date_are_told_and_expired_tokens_are_not() {
        confirms(&HYPOTHESIS, "Observed", |facts| failure(facts, Table::Auth, Cause::ClockOff));
        rules_out(&HYPOTHESIS, |facts| failure(facts, Table::HttpRequests, Cause::TokenExpired));
    }
}
