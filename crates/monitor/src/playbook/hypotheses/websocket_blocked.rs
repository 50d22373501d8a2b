//! A firewall or a proxy lets no connection through: nobody answers at the address, or the proxy says
//! no. Measured.

use super::{Hypothesis, known};
use crate::playbook::facts::{End, Facts, Found, Need, Reach, Unknown};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "websocket-blocked",
    title: "A firewall or proxy blocks the way to the server",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Publish],
    needs: &[Need::Reach],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let reach = known(&facts.reach)?;
    if reach.is_empty() {
        let why = "No address of the server is known.";
        return Err(Unknown::new(why, "Start the server, or give the address with --endpoint."));
    }
    let evidence = reach.iter().filter_map(blocked).map(Evidence::measured).collect();
    let addresses: Vec<&str> = reach.iter().map(|it| it.url.as_str()).collect();
    let open = format!("A connection reaches {}.", addresses.join(", "));
    let cure = Mitigation::new(
        "Let clients open TCP connections to the host and port of the endpoint, and let the proxy \
         pass CONNECT to it. If nobody listens there, give the address that clients use as a public \
         endpoint of the resource.",
    );
    Ok(Judgement::by(evidence, cure, Evidence::measured(open)))
}

fn blocked(reach: &Reach) -> Option<String> {
    let Reach { url, proxy, end, millis, .. } = reach;
    let by = proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    match end {
        End::Unusable(why) => Some(format!("{url}{by} cannot be tried: {why}.")),
        End::NotResolved(why) => Some(format!("The host of {url}{by} has no address: {why}.")),
        End::NotConnected(why) => Some(format!(
            "Nobody takes a connection from this machine to {url}{by}: {why} ({millis} ms)."
        )),
        End::ProxyRefused(said) => {
            Some(format!("The proxy {} lets nothing through to {url}: {said}.", text(proxy)))
        }
        End::Silent(why) => {
            Some(format!("{url}{by} takes the connection and gives no answer: {why}."))
        }
        End::TlsBroken(_) | End::Answered { .. } | End::Open => None,
    }
}

fn text(proxy: &Option<String>) -> &str {
    proxy.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, reach, silent};

    #[test]
    fn without_an_address_it_cannot_be_told() {
        let mut facts = healthy();
        facts.reach = Ok(Vec::new());
        let verdict = HYPOTHESIS.judged(&Question::default(), &facts).verdict;
        assert_eq!(verdict, Verdict::CannotTell);
    }

    #[test]
    fn each_way_to_be_blocked_is_told() {
        silent(&HYPOTHESIS);
        for end in [
            End::Unusable("it is no URL".to_owned()),
            End::NotResolved("no such host".to_owned()),
            End::NotConnected("timed out".to_owned()),
            End::ProxyRefused("403 Forbidden".to_owned()),
            End::Silent("the connection was closed".to_owned()),
        ] {
            confirms(&HYPOTHESIS, "Measured", |facts| facts.reach = Ok(vec![reach(end)]));
        }
    }
}
