//! What may be wrong, one file each: what it asks for, how it judges, what cures it.
//!
//! A judge is pure. It confirms only what it has evidence for, and where a fact is missing that it
//! could not do without it says so (`?` on a [`Found`]).

mod access_key_wrong;
mod apns_certificate;
mod bad_connection_string;
mod chat_scope_missing;
mod clock_skew;
mod dead_device_token;
mod dead_lettered;
mod fcm_credential_revoked;
mod filtered_out;
mod handler_not_registered;
mod hub_deleted;
mod hub_not_linked;
mod key_not_relinked;
mod limit_hit;
mod linked_hub;
mod no_send_right;
mod not_participant;
mod platform_not_configured;
mod realtime_never_started;
mod registration_lapsed;
mod slow_consumer;
mod stopped_on_the_way;
mod throttled;
mod tls_mismatch;
mod token_expired;
mod token_revoked;
mod upgrade_stripped;
mod upstream_failing;
mod webhook_failing;
mod webhook_not_validated;
mod websocket_blocked;
mod wrong_apns_environment;
mod wrong_audience;

use kernel::Stage;

use crate::journey::Step;

use super::facts::{Facts, Found, Hub, Need, Sign, Subscription, Unknown, has_word, stopped_at};
use super::question::{Question, Symptom};
use super::report::{Evidence, Finding, Judgement};
use super::words::line;

/// One thing that may be wrong.
#[derive(Debug)]
pub struct Hypothesis {
    /// Its name, for scripts and in addresses of the documentation.
    pub name: &'static str,
    /// What it says, as a sentence without a full stop.
    pub title: &'static str,
    /// What people see when it is so.
    pub symptoms: &'static [Symptom],
    /// What it judges by.
    pub needs: &'static [Need],
    /// The judgement.
    pub judge: fn(&Question, &Facts) -> Found<Judgement>,
}

/// All hypotheses, in the order in which they are told: first what was asked about, then what keeps
/// everybody out.
pub static ALL: &[&Hypothesis] = &[
    &stopped_on_the_way::HYPOTHESIS,
    &websocket_blocked::HYPOTHESIS,
    &upgrade_stripped::HYPOTHESIS,
    &tls_mismatch::HYPOTHESIS,
    &clock_skew::HYPOTHESIS,
    &token_expired::HYPOTHESIS,
    &chat_scope_missing::HYPOTHESIS,
    &token_revoked::HYPOTHESIS,
    &wrong_audience::HYPOTHESIS,
    &access_key_wrong::HYPOTHESIS,
    &not_participant::HYPOTHESIS,
    &realtime_never_started::HYPOTHESIS,
    &registration_lapsed::HYPOTHESIS,
    &handler_not_registered::HYPOTHESIS,
    &hub_not_linked::HYPOTHESIS,
    &bad_connection_string::HYPOTHESIS,
    &hub_deleted::HYPOTHESIS,
    &key_not_relinked::HYPOTHESIS,
    &no_send_right::HYPOTHESIS,
    &platform_not_configured::HYPOTHESIS,
    &apns_certificate::HYPOTHESIS,
    &wrong_apns_environment::HYPOTHESIS,
    &fcm_credential_revoked::HYPOTHESIS,
    &dead_device_token::HYPOTHESIS,
    &throttled::HYPOTHESIS,
    &webhook_not_validated::HYPOTHESIS,
    &webhook_failing::HYPOTHESIS,
    &filtered_out::HYPOTHESIS,
    &dead_lettered::HYPOTHESIS,
    &upstream_failing::HYPOTHESIS,
    &slow_consumer::HYPOTHESIS,
    &limit_hit::HYPOTHESIS,
];

impl Hypothesis {
    /// Judges, and says it in full.
    pub fn judged(&self, question: &Question, facts: &Facts) -> Finding {
        let judgement = (self.judge)(question, facts).unwrap_or_else(Judgement::from);
        let Judgement { verdict, evidence, mut mitigations } = judgement;
        if let Some(first) = mitigations.first_mut() {
            first.link.get_or_insert_with(|| format!("docs/playbook.md#{}", self.name));
        }
        let (hypothesis, title) = (self.name.to_owned(), self.title.to_owned());
        Finding { hypothesis, title, verdict, evidence, mitigations }
    }
}

/// A fact that a judgement cannot do without.
fn known<T>(fact: &Found<T>) -> Found<&T> {
    fact.as_ref().map_err(Clone::clone)
}

/// The event subscriptions; the one that is asked about has to be there.
fn subscriptions<'a>(question: &Question, facts: &'a Facts) -> Found<&'a [Subscription]> {
    let all = known(&facts.subscriptions)?;
    match &question.subscription {
        Some(name) if all.is_empty() => Err(Unknown::new(
            format!("There is no event subscription '{name}' at this server."),
            "Give the name of one; `tidings events subscriptions` lists them.",
        )),
        _ => Ok(all),
    }
}

/// The notification hubs; the one that is asked about, if pushes are, has to be there.
fn hubs<'a>(question: &Question, facts: &'a Facts) -> Found<&'a [Hub]> {
    let all = known(&facts.hubs)?;
    match &question.hub {
        Some(name) if all.is_empty() && question.symptom == Some(Symptom::Push) => {
            Err(Unknown::new(
                format!("There is no notification hub '{name}' at this server."),
                "Give the name of one; `tidings push fix` lists them.",
            ))
        }
        _ => Ok(all),
    }
}

/// What the log tables say of a cause, about the user of the question if there is one.
fn seen(question: &Question, facts: &Facts, sign: &Sign) -> Found<Vec<Evidence>> {
    let records = known(&facts.records)?;
    Ok(records.seen(sign, question.user.as_deref(), (facts.now, facts.window)))
}

/// Where a send waits for what a push service says.
const PUSH_SERVICE: (&str, Stage) = ("notificationhubs", Stage::PushServiceAnswered);

/// Beside evidence that there is, the newest journey that stopped at this stage of this service with
/// one of these codes, if there are any.
fn with_journey(
    mut evidence: Vec<Evidence>,
    facts: &Facts,
    (service, stage): (&str, Stage),
    codes: &[&str],
) -> Vec<Evidence> {
    if evidence.is_empty() {
        return evidence;
    }
    let is_of =
        |step: &Step| codes.is_empty() || codes.iter().any(|code| has_word(&step.detail, code));
    let journeys = facts.journeys.iter().flatten();
    let stopped = |it| Some((it, stopped_at(it, service, stage).filter(|step| is_of(step))?));
    let newest = journeys.filter_map(stopped).next();
    evidence.extend(newest.map(|(journey, step)| {
        let text = format!("A notification stopped there: {}.", line(&step.detail));
        Evidence::observed(text).trace(journey.summary.id.to_string())
    }));
    evidence
}

/// Evidence and more of it. Where there is some, it is no matter that the rest is not known.
fn and_more(mut evidence: Vec<Evidence>, more: Found<Vec<Evidence>>) -> Found<Vec<Evidence>> {
    if evidence.is_empty() {
        return more;
    }
    evidence.extend(more.unwrap_or_default());
    Ok(evidence)
}

/// What is said when nothing in the log tables speaks for a cause.
fn nothing_seen(facts: &Facts, what: &str) -> Evidence {
    let window = super::words::span(facts.window);
    Evidence::observed(format!("The log tables show no {what} within {window}."))
}
