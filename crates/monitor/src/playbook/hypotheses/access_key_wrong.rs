//! Calls that are signed with a key which is not in force: replaced, or of another resource. Observed.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, RefusalKind, Sign, Table, Token};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "access-key-wrong",
    title: "Calls are signed with a wrong or replaced access key",
    symptoms: &[Symptom::Publish, Symptom::Connect],
    needs: &[Need::Token, Need::Records],
    judge,
};

const SIGN: Sign = Sign {
    tables: &[Table::HttpRequests, Table::Auth, Table::Connectivity, Table::Publications],
    statuses: &[],
    causes: &[Cause::KeyRejected],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let token = facts.token.iter().flatten().find(|it| is_of_other_key(it));
    let evidence = token
        .and_then(|it| it.refusal.as_ref())
        .map(|it| Evidence::observed(format!("This server refuses the token: {}", it.text)));
    let evidence = and_more(evidence.into_iter().collect(), seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Copy the connection string of this resource again, wherever it is used: keys are replaced by \
         `tidings keys rotate` and regenerateKey.",
    )
    .command("tidings connection-string local");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "call with a wrong key")))
}

fn is_of_other_key(token: &Token) -> bool {
    let is_key = |kind| matches!(kind, RefusalKind::KeyReplaced);
    token.opens == Token::HUB && token.refusal.as_ref().is_some_and(|it| is_key(it.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Refusal;
    use crate::playbook::testing::{confirms, failure, silent};

    #[test]
    fn a_token_of_another_key_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let text = "its signature matches neither key".to_owned();
            let refusal = Some(Refusal { kind: RefusalKind::KeyReplaced, text });
            facts.token = Ok(Some(Token { opens: Token::HUB, refusal, ..Token::default() }));
        });
    }

    #[test]
    fn refused_calls_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Publications, Cause::KeyRejected);
        });
    }
}
