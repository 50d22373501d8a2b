//! Something on the way answers the handshake of a WebSocket with plain HTTP: it has taken the header
//! `Upgrade` away, or does not pass WebSockets on. Measured.

use super::{Hypothesis, known};
use crate::playbook::facts::{End, Facts, Found, Need, Reach, Unknown};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::line;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "upgrade-stripped",
    title: "A proxy strips the WebSocket upgrade",
    symptoms: &[Symptom::Connect, Symptom::Realtime],
    needs: &[Need::Reach],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let reach = known(&facts.reach)?;
    let evidence: Vec<Evidence> =
        reach.iter().filter_map(stripped).map(Evidence::measured).collect();
    if evidence.is_empty() && reach.iter().all(|it| it.end != End::Open) {
        let why = "No connection came far enough to be answered.";
        return Err(Unknown::new(why, "Mend what keeps connections away first."));
    }
    let cure = Mitigation::new(
        "Let the reverse proxy or load balancer speak HTTP/1.1 to the server and pass the headers \
         Upgrade and Connection on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade \
         $http_upgrade; proxy_set_header Connection \"upgrade\";).",
    );
    let open = "Handshakes of WebSockets are answered with 101.";
    Ok(Judgement::by(evidence, cure, Evidence::measured(open)))
}

fn stripped(reach: &Reach) -> Option<String> {
    let Reach { url, end, .. } = reach;
    let End::Answered { status, said } = end else { return None };
    let said = if said.is_empty() { String::new() } else { format!(": {}", line(said)) };
    Some(format!("{url} answers the handshake of a WebSocket with {status} in place of 101{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, reach, silent};

    #[test]
    fn plain_http_in_place_of_a_websocket_is_told() {
        silent(&HYPOTHESIS);
        let end = End::Answered { status: 400, said: "Upgrade is missing".to_owned() };
        confirms(&HYPOTHESIS, "Measured", |facts| facts.reach = Ok(vec![reach(end)]));
    }

    #[test]
    fn where_nothing_answers_it_cannot_be_told() {
        let mut facts = healthy();
        facts.reach = Ok(vec![reach(End::NotConnected("refused".to_owned()))]);
        let verdict = HYPOTHESIS.judged(&Question::default(), &facts).verdict;
        assert_eq!(verdict, Verdict::CannotTell);
    }
}
