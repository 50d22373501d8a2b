//! Which events an event subscription wants.
//!
//! All conditions must hold. Text compares without regard to case everywhere, except that
//! `subjectBeginsWith` and `subjectEndsWith` can be told to look at it.
//!
//! | module | what |
//! |---|---|
//! | `parse` | the `filter` object of a subscription, in and out |
//! | `condition` | the operators of advanced filters: what each makes of a value |
//! | `key` | the names of values |
//! | `subject` | an event as filters see it, read as far as they ask |
//!
//! Invariants: a filter shows itself as it was written; evaluating never fails, and reads an
//! event's data only when a condition is about it, once for all subscriptions.

mod condition;
mod fold;
mod key;
mod parse;
mod subject;
#[cfg(test)]
mod tests;

use condition::Condition;
use fold::Folded;
use key::Key;
use serde_json::Value;

pub use parse::{MAX_ADVANCED_FILTERS, MAX_CHARACTERS, MAX_VALUES};
pub use subject::Subject;

/// The name that stands for all event types.
const ALL: &str = "All";

/// The filter of an event subscription. The default lets everything pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    included_event_types: Option<Vec<String>>,
    subject_begins_with: Option<Folded>,
    subject_ends_with: Option<Folded>,
    is_subject_case_sensitive: Option<bool>,
    enable_advanced_filtering_on_arrays: Option<bool>,
    advanced: Option<Vec<AdvancedFilter>>,
}

/// What a filter says to an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the event passes.
    pub is_wanted: bool,
    /// Advanced filters that were evaluated: none when something cheaper has decided, and none after
    /// the first one that does not hold.
    pub advanced_filters: u64,
}

/// A condition on one value of an event.
#[derive(Clone, Debug, PartialEq)]
struct AdvancedFilter {
    key: Key,
    condition: Condition,
}

impl Filter {
    /// Reads the `filter` property of a subscription; `null` and `{}` let everything pass.
    ///
    /// # Errors
    /// Names the part at fault (`Error::target_name`), and what was expected there.
    pub fn parse(json: &Value) -> kernel::Result<Self> {
        parse::filter(json)
    }

    /// The filter in the form in which it was given.
    pub fn to_json(&self) -> Value {
        parse::to_json(self)
    }

    /// Whether the subscription wants this event, and how much work it was to find out.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        // The cheapest conditions first.
        if !self.includes_type(subject.event().event_type())
            || !self.matches_subject(subject.event().subject().unwrap_or_default())
        {
            return verdict;
        }
        let arrays = self.enable_advanced_filtering_on_arrays.unwrap_or(false);
        verdict.is_wanted = self.advanced.iter().flatten().all(|filter| {
            verdict.advanced_filters += 1;
            subject.find(&filter.key, |found| filter.condition.holds(found, arrays))
        });
        verdict
    }

    fn includes_type(&self, event_type: &str) -> bool {
        let Some(included) = self.included_event_types.as_deref() else { return true };
        let is = |name: &String| name.eq_ignore_ascii_case(event_type);
        included.is_empty() || included.iter().any(|name| name == ALL || is(name))
    }

    fn matches_subject(&self, subject: &str) -> bool {
        let begin = self.subject_begins_with.as_ref().filter(|begin| !begin.is_empty());
        let end = self.subject_ends_with.as_ref().filter(|end| !end.is_empty());
        if self.is_subject_case_sensitive.unwrap_or(false) {
            return begin.is_none_or(|begin| subject.starts_with(begin.as_written()))
                && end.is_none_or(|end| subject.ends_with(end.as_written()));
        }
        if begin.is_none() && end.is_none() {
            return true;
        }
        let subject = fold::folded(subject);
        begin.is_none_or(|begin| subject.starts_with(begin.as_folded()))
            && end.is_none_or(|end| subject.ends_with(end.as_folded()))
    }
}
