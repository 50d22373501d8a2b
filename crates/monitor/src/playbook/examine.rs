//! Asking: which hypotheses apply, which facts they need, all probes at once, each within its time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::Clock;

use super::facts::{Facts, Found, Need, Unknown};
use super::hypotheses::{ALL, Hypothesis};
use super::probes::{Doing, Probes};
use super::question::Question;
use super::report::Report;

/// How long a report takes at most.
pub const LIMIT: Duration = Duration::from_secs(8);

/// The playbook over the probes of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Playbook {
    probes: Arc<dyn Probes>,
    clock: Arc<dyn Clock>,
}

impl Playbook {
    /// Asks `probes`.
    pub fn new(probes: Arc<dyn Probes>, clock: Arc<dyn Clock>) -> Self {
        Self { probes, clock }
    }

    /// Looks at every hypothesis that applies.
    pub async fn examine(&self, question: &Question) -> Report {
        let begun = tokio::time::Instant::now();
        let chosen: Vec<&Hypothesis> =
            ALL.iter().copied().filter(|it| question.concerns(it.symptoms)).collect();
        let facts = self.find(question, &chosen).await;
        let findings = chosen.iter().map(|it| it.judged(question, &facts)).collect();
        Report::new(findings, begun.elapsed())
    }

    async fn find(&self, question: &Question, chosen: &[&Hypothesis]) -> Facts {
        let needed = |need: Need| chosen.iter().any(|it| it.needs.contains(&need));
        let probes = &*self.probes;
        let unasked = Facts::unasked(self.clock.now(), question.since);
        let (reach, token, audience, membership, answers, link, hubs, pushes) = tokio::join!(
            within(needed(Need::Reach), || probes.reach(question)),
            within(needed(Need::Token), || probes.token(question)),
            within(needed(Need::Audience), || probes.audience(question)),
            within(needed(Need::Membership), || probes.membership(question)),
            within(needed(Need::Answers), || probes.answers(question)),
            within(needed(Need::Link), || probes.link(question)),
            within(needed(Need::Hubs), || probes.hubs(question)),
            async {
                let pushes = within(needed(Need::Pushes), || probes.pushes(question));
                let subscriptions =
                    within(needed(Need::Subscriptions), || probes.subscriptions(question));
                let handlers = within(needed(Need::Handlers), || probes.handlers(question));
                let records = within(needed(Need::Records), || probes.records(question));
                tokio::join!(pushes, subscriptions, handlers, records)
            },
        );
        let (pushes, subscriptions, handlers, records) = pushes;
        Facts {
            reach,
            token,
            audience,
            membership,
            answers,
            link,
            hubs,
            pushes,
            subscriptions,
            handlers,
            records,
            ..unasked
        }
    }
}

/// What is found out in time, if it is wanted.
async fn within<'a, T>(wanted: bool, probe: impl FnOnce() -> Doing<'a, T>) -> Found<T> {
    if !wanted {
        return Err(Unknown::new("It was not looked at.", "Ask without a symptom."));
    }
    tokio::time::timeout(LIMIT, probe()).await.unwrap_or_else(|_| {
        let why = format!("It was not known within {} seconds.", LIMIT.as_secs());
        Err(Unknown::new(why, "Ask again; if it stays so, look at the load of the server."))
    })
}

impl fmt::Debug for Playbook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Playbook").finish_non_exhaustive()
    }
}
