//! A token that was taken back: revoked, its user deleted, or made with an access key that was replaced
//! since. Observed.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, RefusalKind, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "token-revoked",
    title: "The token was revoked, or its user or key is gone",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Token, Need::Records],
    judge,
};

const SIGN: Sign = Sign {
    tables: &[Table::Chat, Table::Auth, Table::Connectivity],
    statuses: &[],
    causes: &[Cause::TokenRevoked],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let refusal = facts.token.iter().flatten().find_map(|it| it.refusal.as_ref());
    let evidence = refusal
        .filter(|it| matches!(it.kind, RefusalKind::Revoked | RefusalKind::KeyReplaced))
        .map(|it| Evidence::observed(format!("This server refuses the token: {}.", it.text)));
    let evidence = and_more(evidence.into_iter().collect(), seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Issue a new token, to a user that exists, with a current connection string; make sure that \
         nothing calls revokeTokens or deletes users by mistake.",
    )
    .command("tidings connection-string local");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "revoked token")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::{Refusal, Token};
    use crate::playbook::testing::{confirms, failure, rules_out, silent};

    fn refused(kind: RefusalKind) -> Token {
        let refusal = Refusal { kind, text: "the token was revoked".to_owned() };
        Token { refusal: Some(refusal), ..Token::default() }
    }

    #[test]
    fn a_token_that_was_taken_back_is_told() {
        silent(&HYPOTHESIS);
        for kind in [RefusalKind::Revoked, RefusalKind::KeyReplaced] {
            confirms(&HYPOTHESIS, "Observed", |facts| facts.token = Ok(Some(refused(kind))));
        }
        rules_out(&HYPOTHESIS, |facts| facts.token = Ok(Some(refused(RefusalKind::Expired))));
    }

    #[test]
    fn refused_requests_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Chat, Cause::TokenRevoked);
        });
    }
}
