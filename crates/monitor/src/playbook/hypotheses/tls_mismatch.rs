//! The server's certificate is not one that clients take: of another name, out of date, or of an
//! authority that nobody trusts; or the host name picks no resource. Measured.

use super::{Hypothesis, known};
use crate::playbook::facts::{End, Facts, Found, Need, Reach, Unknown};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{moment, some};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "tls-mismatch",
    title: "TLS fails, or the certificate is for another host",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Reach],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let reach = known(&facts.reach)?;
    let evidence: Vec<Evidence> =
        reach.iter().filter_map(mismatch).map(Evidence::measured).collect();
    let is_unseen = |it: &Reach| {
        let is_tls = ["https:", "wss:"].iter().any(|scheme| it.url.starts_with(scheme));
        is_tls && it.certificate.is_none()
    };
    if evidence.is_empty() && (reach.is_empty() || reach.iter().any(is_unseen)) {
        let why = "No connection came far enough to show a certificate.";
        return Err(Unknown::new(why, "Mend what keeps connections away first."));
    }
    let cure = Mitigation::new(
        "Serve a certificate that names the host of the endpoint, whole with its intermediate \
         certificates (tls.certificate), or use the name that it has. In development every client \
         must trust the development certificate.",
    )
    .command("tidings trust");
    let checked = reach.iter().filter_map(|it| Some((it.url.as_str(), it.certificate.as_ref()?)));
    let good: Vec<String> =
        checked.map(|(url, it)| format!("{url} until {}", moment(it.not_after))).collect();
    let good = match good.is_empty() {
        true => "No address that was tried uses TLS.".to_owned(),
        false => format!("Certificates hold: {}.", good.join(", ")),
    };
    Ok(Judgement::by(evidence, cure, Evidence::measured(good)))
}

fn mismatch(reach: &Reach) -> Option<String> {
    let url = &reach.url;
    if let End::TlsBroken(why) = &reach.end {
        return Some(format!("The TLS handshake with {url} fails: {why}."));
    }
    let certificate = reach.certificate.as_ref()?;
    let problem = certificate.problem.as_ref()?;
    Some(format!(
        "Clients refuse the certificate of {url}: {problem}. It is for {}, from {} to {}, made by {}.",
        some(certificate.names.iter().map(String::as_str)),
        moment(certificate.not_before),
        moment(certificate.not_after),
        certificate.issuer,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{certificate, confirms, healthy, reach, silent};

    #[test]
    fn a_certificate_that_clients_refuse_is_told_with_its_names() {
        silent(&HYPOTHESIS);
        let bad = certificate(Some("it is not for the name push.example.com"));
        let told = confirms(&HYPOTHESIS, "Measured", |facts| {
            facts.reach = Ok(vec![Reach { certificate: Some(bad), ..reach(End::Open) }]);
        });
        assert!(told.contains("It is for localhost"), "{told}");
    }

    #[test]
    fn tls_that_cannot_be_agreed_on_is_told() {
        let end = End::TlsBroken("no version in common".to_owned());
        confirms(&HYPOTHESIS, "Measured", |facts| facts.reach = Ok(vec![reach(end)]));
    }

    #[test]
    fn where_no_certificate_is_shown_it_cannot_be_told() {
        let mut facts = healthy();
        let end = End::NotConnected("refused".to_owned());
        facts.reach = Ok(vec![Reach { certificate: None, ..reach(end) }]);
        let verdict = HYPOTHESIS.judged(&Question::default(), &facts).verdict;
        assert_eq!(verdict, Verdict::CannotTell);
    }
}
