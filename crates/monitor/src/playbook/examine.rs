//! Asking: which hypotheses apply, which facts they need, all probes at once, each within its time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::Clock;
use tokio::time::Instant;

use crate::journey::Journey;

use super::facts::{Facts, Found, Need, Unknown, symptoms};
use super::hypotheses::{ALL, Hypothesis};
use super::probes::{Doing, Probes};
use super::question::Question;
use super::report::Report;

/// How long a report takes at most.
pub const LIMIT: Duration = Duration::from_secs(6);

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
        let begun = Instant::now();
        let journeys = within(begun, true, || self.probes.journeys(question)).await;
        let asked = question.journey.is_some().then(|| journeys.as_ref().ok()?.first()).flatten();
        let (chosen, question) = (chosen(question, asked), &narrowed(question, asked));
        let ids = question.journey.is_some().then(|| ids(asked));
        let mut facts = self.find(question, &chosen, ids.as_deref(), begun).await;
        if let Some(journey) = asked {
            facts.narrow(journey);
        }
        facts.journeys = journeys;
        let findings = chosen.iter().map(|it| it.judged(question, &facts)).collect();
        Report::new(findings, begun.elapsed())
    }

    async fn find(
        &self,
        question: &Question,
        chosen: &[&Hypothesis],
        ids: Option<&[String]>,
        begun: Instant,
    ) -> Facts {
        let needed = |need: Need| chosen.iter().any(|it| it.needs.contains(&need));
        let probes = &*self.probes;
        let unasked = Facts::unasked(self.clock.now(), question.since);
        let (reach, token, audience, membership, answers, link, hubs, pushes) = tokio::join!(
            within(begun, needed(Need::Reach), || probes.reach(question)),
            within(begun, needed(Need::Token), || probes.token(question)),
            within(begun, needed(Need::Audience), || probes.audience(question)),
            within(begun, needed(Need::Membership), || probes.membership(question)),
            within(begun, needed(Need::Answers), || probes.answers(question)),
            within(begun, needed(Need::Link), || probes.link(question)),
            within(begun, needed(Need::Hubs), || probes.hubs(question)),
            async {
                let pushes = within(begun, needed(Need::Pushes), || probes.pushes(question));
                let subscriptions =
                    within(begun, needed(Need::Subscriptions), || probes.subscriptions(question));
                let handlers = within(begun, needed(Need::Handlers), || probes.handlers(question));
                let records =
                    within(begun, needed(Need::Records), || probes.records(question, ids));
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

/// The hypotheses about what a question asks; about a journey, those about what it went through.
fn chosen(question: &Question, asked: Option<&Journey>) -> Vec<&'static Hypothesis> {
    let touched = asked.map(symptoms);
    let is_touched = |it: &Hypothesis| match (&touched, &question.journey) {
        (Some(touched), _) => it.symptoms.iter().any(|symptom| touched.contains(symptom)),
        // Of a journey that nobody knows, nothing can be told but that.
        (None, Some(_)) => it.needs.first() == Some(&Need::Journeys),
        (None, None) => true,
    };
    ALL.iter().copied().filter(|it| question.concerns(it.symptoms) && is_touched(it)).collect()
}

/// A question about a journey is one about its thread, too.
fn narrowed(question: &Question, asked: Option<&Journey>) -> Question {
    let subjects = asked.into_iter().flat_map(|it| &it.subjects);
    let mut threads = subjects.filter(|(kind, _)| kind == "thread").map(|(_, value)| value.clone());
    Question { thread: question.thread.clone().or_else(|| threads.next()), ..question.clone() }
}

/// The ids by which rows of a journey are known.
fn ids(asked: Option<&Journey>) -> Vec<String> {
    let Some(journey) = asked else { return Vec::new() };
    let named = journey.subjects.iter().map(|(_, value)| value.clone());
    [journey.summary.id.to_string()].into_iter().chain(named).collect()
}

/// What is found out in time, if it is wanted.
async fn within<'a, T>(
    begun: Instant,
    wanted: bool,
    probe: impl FnOnce() -> Doing<'a, T>,
) -> Found<T> {
    if !wanted {
        return Err(Unknown::new("It was not looked at.", "Ask without a symptom."));
    }
    tokio::time::timeout_at(begun + LIMIT, probe()).await.unwrap_or_else(|_| {
        let why = format!("It was not known within {} seconds.", LIMIT.as_secs());
        Err(Unknown::new(why, "Ask again; if it stays so, look at the load of the server."))
    })
}

impl fmt::Debug for Playbook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Playbook").finish_non_exhaustive()
    }
}
