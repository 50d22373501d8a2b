//! A token for something else: another resource, another hub, another address; or a text that is none.
//! Observed.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, RefusalKind, Sign, Table, Token};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "wrong-audience",
    title: "The token is none, or for another resource, hub or audience",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Token, Need::Records],
    judge,
};

const SIGN: Sign = Sign {
    tables: &[Table::Chat, Table::Connectivity, Table::HttpRequests, Table::Publications],
    statuses: &[],
    causes: &[Cause::TokenElsewhere, Cause::TokenMalformed],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let token = facts.token.iter().flatten().next();
    let mut evidence: Vec<Evidence> = token.and_then(elsewhere).into_iter().collect();
    if let (Some(asked), Some(hub)) = (&question.hub, token.and_then(|it| it.hub.as_ref()))
        && !asked.eq_ignore_ascii_case(hub)
        && evidence.is_empty()
    {
        let text = format!("The token is for the hub '{hub}', and not for '{asked}'.");
        evidence.push(Evidence::observed(text));
    }
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Make tokens with this resource's own connection string and with the name of the hub that \
         clients connect to; add the address that clients use to public_endpoints.",
    )
    .command("tidings connection-string local");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "token for something else")))
}

fn elsewhere(token: &Token) -> Option<Evidence> {
    let refusal = token.refusal.as_ref()?;
    let is_elsewhere = matches!(refusal.kind, RefusalKind::Elsewhere | RefusalKind::Malformed);
    is_elsewhere.then(|| {
        let text = refusal.text.trim_end_matches('.');
        let audience = match token.audience.as_slice() {
            [] => String::new(),
            audience => format!(" Its audience is {}.", audience.join(", ")),
        };
        Evidence::observed(format!("This server refuses the token: {text}.{audience}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Refusal;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, failure, healthy, silent};

    #[test]
    fn a_token_for_something_else_is_told() {
        silent(&HYPOTHESIS);
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            let refusal = Refusal { kind: RefusalKind::Elsewhere, text: "other hub.".to_owned() };
            let audience = vec!["https://elsewhere/client/hubs/x".to_owned()];
            facts.token = Ok(Some(Token { audience, refusal: Some(refusal), ..Token::default() }));
        });
        assert!(told.contains("https://elsewhere"), "{told}");
    }

    #[test]
    fn a_token_for_another_hub_than_the_one_asked_about_is_told() {
        let mut facts = healthy();
        facts.token = Ok(Some(Token { hub: Some("chat".to_owned()), ..Token::default() }));
        let about = |hub: &str| Question { hub: Some(hub.to_owned()), ..Question::default() };
        let verdict = |hub| HYPOTHESIS.judged(&about(hub), &facts).verdict;
        assert_eq!((verdict("news"), verdict("Chat")), (Verdict::Confirmed, Verdict::RuledOut));
    }

    #[test]
    fn refused_connections_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Connectivity, Cause::TokenElsewhere);
        });
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Chat, Cause::TokenMalformed);
        });
    }
}
