//! What shall go wrong: rules that a test sets, and the ways to fail that each service has.
//!
//! A rule is for a service, for one device or all, and for a number of times or until it is removed.
//! It acts on requests that would otherwise be taken, after they were checked.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Service;

/// So many rules may be set.
const MAX_RULES: usize = 1000;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Which service fails.
    pub service: Service,
    /// For which device; for all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How: one of the names in [`catalog`].
    pub failure: String,
    /// How often; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The `Retry-After` of the answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Since when the device is dead, in milliseconds since 1970; for Apple's answer 410.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
}

impl Rule {
    /// A rule for every device, until it is removed.
    pub fn always(service: Service, failure: &str) -> Self {
        let failure = failure.to_owned();
        Self { service, device: None, failure, count: None, retry_after: None, timestamp: None }
    }

    /// A rule for the next request.
    pub fn once(service: Service, failure: &str) -> Self {
        Self { count: Some(1), ..Self::always(service, failure) }
    }

    /// A rule for one device, until it is removed.
    pub fn of_device(service: Service, device: &str, failure: &str) -> Self {
        Self { device: Some(device.to_owned()), ..Self::always(service, failure) }
    }
}

/// The rules that are set.
#[derive(Debug, Default)]
pub struct Failures(Mutex<Vec<Rule>>);

/// Why a rule is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No such failure.
    #[error("'{0}' is no failure of this service; it has {1}")]
    Unknown(String, String),
    /// A rule that never acts.
    #[error("the count is 0; give at least 1, or leave it out for a failure that stays")]
    Never,
    /// Too many rules.
    #[error("there are {MAX_RULES} rules already; remove them with DELETE /fake-push/failures")]
    TooMany,
}

impl Failures {
    /// Sets a rule. The latest one that fits a request acts.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn set(&self, rule: Rule) -> Result<(), RuleError> {
        if !catalog(rule.service).any(|name| name == rule.failure) {
            let names: Vec<&str> = catalog(rule.service).collect();
            return Err(RuleError::Unknown(rule.failure, names.join(", ")));
        }
        if rule.count == Some(0) {
            return Err(RuleError::Never);
        }
        let mut rules = self.rules();
        if rules.len() >= MAX_RULES {
            return Err(RuleError::TooMany);
        }
        rules.push(rule);
        Ok(())
    }

    /// The rule that acts on a request, if one does; it counts.
    pub fn strike(&self, service: Service, device: &str) -> Option<Rule> {
        let mut rules = self.rules();
        let at = rules.iter().rposition(|rule| {
            rule.service == service && rule.device.as_deref().is_none_or(|it| it == device)
        })?;
        let struck = rules[at].clone();
        if let Some(left) = &mut rules[at].count {
            *left -= 1;
            if *left == 0 {
                rules.remove(at);
            }
        }
        Some(struck)
    }

    /// The rules that are set.
    pub fn list(&self) -> Vec<Rule> {
        self.rules().clone()
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.rules().clear();
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection is left without an answer.
pub(super) const STALL: &str = "Stall";

/// The ways to fail that a service has.
pub fn catalog(service: Service) -> Box<dyn Iterator<Item = &'static str>> {
    match service {
        Service::Apns => Box::new(super::apns::failures()),
        Service::Fcm => Box::new(super::fcm::refusal::failures()),
        Service::OAuth => Box::new(super::fcm::oauth::failures()),
        Service::WebPush => Box::new(super::webpush::failures()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_acts_as_often_as_it_says() {
        let failures = Failures::default();
        let rule = Rule { count: Some(2), ..Rule::always(Service::Apns, "Unregistered") };
        failures.set(rule).unwrap();
        let strike = || failures.strike(Service::Apns, "d").map(|it| it.failure);
        assert_eq!(failures.strike(Service::Fcm, "d"), None);
        assert_eq!(strike().as_deref(), Some("Unregistered"));
        assert_eq!(strike().as_deref(), Some("Unregistered"));
        assert_eq!(strike(), None);
        assert_eq!(failures.list(), []);
    }

    #[test]
    fn the_latest_rule_that_fits_acts() {
        let failures = Failures::default();
        failures.set(Rule::always(Service::Apns, "TooManyRequests")).unwrap();
        failures.set(Rule::of_device(Service::Apns, "d", "BadDeviceToken")).unwrap();
        let strike = |device| failures.strike(Service::Apns, device).unwrap().failure;
        assert_eq!((&*strike("d"), &*strike("e")), ("BadDeviceToken", "TooManyRequests"));
    }

    #[test]
    fn a_failure_that_a_service_does_not_have_is_refused_with_those_it_has() {
        let failures = Failures::default();
        let error = failures.set(Rule::always(Service::Fcm, "BadDeviceToken")).unwrap_err();
        assert!(error.to_string().contains("UNREGISTERED"), "{error}");
        let never = Rule { count: Some(0), ..Rule::always(Service::Apns, "Stall") };
        assert_eq!(failures.set(never), Err(RuleError::Never));
    }

    #[test]
    fn rules_are_bounded() {
        let failures = Failures::default();
        for _ in 0..MAX_RULES {
            failures.set(Rule::always(Service::Apns, "Stall")).unwrap();
        }
        let one_more = Rule::always(Service::Apns, "Stall");
        assert_eq!(failures.set(one_more), Err(RuleError::TooMany));
    }
}
