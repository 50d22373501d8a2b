//! A token whose time is over. Observed: in the token itself, or in refusals of the window.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, RefusalKind, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "token-expired",
    title: "The token has expired",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Token, Need::Records],
    judge,
};

const SIGN: Sign = Sign {
    tables: &[
        Table::Chat,
        Table::Auth,
        Table::Connectivity,
        Table::HttpRequests,
        Table::Publications,
    ],
    statuses: &[],
    causes: &[Cause::TokenExpired],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence = Vec::new();
    if let Ok(Some(token)) = &facts.token {
        let is_refused = token.refusal.as_ref().is_some_and(|it| it.kind == RefusalKind::Expired);
        let over = token.expires.filter(|at| is_refused || *at <= facts.now);
        if let Some(at) = over {
            let at = when(at, facts.now);
            evidence.push(Evidence::observed(format!("The token's claim exp says {at}.")));
        }
    }
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Give the client a new token before the old one ends: a token refresher for \
         AzureCommunicationTokenCredential, or a function in place of the URL for a Web PubSub client. \
         A page that slept must ask for one when it wakes.",
    );
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "expired token")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::playbook::facts::Token;
    use crate::playbook::testing::{confirms, failure, rules_out, silent};

    #[test]
    fn a_token_whose_time_is_over_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let expires = Some(facts.now - Duration::from_secs(1));
            facts.token = Ok(Some(Token { expires, ..Token::default() }));
        });
        rules_out(&HYPOTHESIS, |facts| {
            let expires = Some(facts.now + Duration::from_secs(60));
            facts.token = Ok(Some(Token { expires, ..Token::default() }));
        });
    }

    #[test]
    fn refusals_of_expired_tokens_are_told() {
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Chat, Cause::TokenExpired);
        });
        assert!(told.contains("ACSChatIncomingOperations"), "{told}");
    }
}
