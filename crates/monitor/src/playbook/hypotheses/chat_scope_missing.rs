//! A token that does not permit what its bearer does in chat. Observed: in the token itself, or in
//! refusals of the window.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, Sign, Table, Token};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "chat-scope-missing",
    title: "The token lacks the scope for chat",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Token, Need::Records],
    judge,
};

const SIGN: Sign =
    Sign { tables: &[Table::Chat, Table::Received], statuses: &[], causes: &[Cause::ScopeMissing] };

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let token = facts.token.iter().flatten().find(|token| lacks_chat(token));
    let evidence = token.map(|token| {
        let scopes = match token.scopes.as_slice() {
            [] => "no scope at all".to_owned(),
            scopes => format!("the scopes {}", scopes.join(", ")),
        };
        Evidence::observed(format!("The token has {scopes}, and none of them is chat."))
    });
    let evidence = and_more(evidence.into_iter().collect(), seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Issue the token with the scope chat: identityClient.getToken(user, [\"chat\"]), or \
         createUserAndToken([\"chat\"]). A token with voip alone opens no chat.",
    );
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "request without the scope it needs")))
}

fn lacks_chat(token: &Token) -> bool {
    // chat.join and chat.join.limited permit taking part.
    token.is_of_chat() && !token.scopes.iter().any(|it| it == "chat" || it.starts_with("chat."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, failure, rules_out, silent};

    fn token(scopes: &[&str]) -> Token {
        let scopes = scopes.iter().map(|it| (*it).to_owned()).collect();
        Token { opens: Token::CHAT, scopes, ..Token::default() }
    }

    #[test]
    fn a_token_without_chat_is_told_with_what_it_has() {
        silent(&HYPOTHESIS);
        let told =
            confirms(&HYPOTHESIS, "Observed", |facts| facts.token = Ok(Some(token(&["voip"]))));
        assert!(told.contains("voip"), "{told}");
        rules_out(&HYPOTHESIS, |facts| facts.token = Ok(Some(token(&["chat.join"]))));
        rules_out(&HYPOTHESIS, |facts| {
            facts.token = Ok(Some(Token { opens: Token::HUB, ..Token::default() }));
        });
    }

    #[test]
    fn refused_requests_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Chat, Cause::ScopeMissing);
        });
    }
}
