//! What the counters were in each minute of the last day. Pure.
//!
//! A counter's minute is how much it has grown in it, a gauge's what it was at its last look. Minutes in
//! which a counter did not grow take no place. Bounded in minutes and in points.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::catalogue::{Catalogue, Labels, Measure, Metric};
use super::exposition::Series;

/// Minutes that are kept.
pub(super) const MINUTES: i64 = 24 * 60;
/// Points that are kept, of all series together: some ten megabytes.
const MAX_POINTS: usize = 500_000;

/// The counters of the last day.
#[derive(Debug, Default)]
pub(super) struct History {
    series: HashMap<Key, Kept>,
    points: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: Box<str>,
    labels: BTreeMap<Box<str>, Box<str>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The counter at the last look.
    last: f64,
    points: VecDeque<(i64, f64)>,
}

/// The points of a series, with its labels.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub labels: &'a BTreeMap<Box<str>, Box<str>>,
    pub points: &'a VecDeque<(i64, f64)>,
    /// Of a mean: of how many its values are the sum.
    pub is_number: bool,
}

impl History {
    /// Takes down a look at the counters within a minute.
    pub(super) fn take<'a>(
        &mut self,
        catalogue: &Catalogue,
        minute: i64,
        all: impl Iterator<Item = Series<'a>>,
    ) {
        for one in all {
            let Some(is_gauge) = catalogue.is_gauge(one.name) else { continue };
            let labels = one.labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            let key = Key { name: one.name.into(), labels: labels.collect() };
            let kept = self.series.entry(key).or_default();
            let value = if is_gauge { one.value } else { (one.value - kept.last).max(0.0) };
            kept.last = one.value;
            match kept.points.back_mut() {
                Some((at, point)) if *at == minute => {
                    *point = if is_gauge { value } else { *point + value };
                }
                _ if value != 0.0 || is_gauge => {
                    kept.points.push_back((minute, value));
                    self.points += 1;
                }
                _ => {}
            }
        }
        self.forget(minute - MINUTES);
    }

    fn forget(&mut self, mut oldest: i64) {
        loop {
            for kept in self.series.values_mut() {
                while kept.points.front().is_some_and(|(at, _)| *at <= oldest) {
                    kept.points.pop_front();
                    self.points -= 1;
                }
            }
            if self.points <= MAX_POINTS {
                return;
            }
            // An hour less of everything, until it fits.
            oldest += 60;
        }
    }

    /// The series that a metric is made of, those with all labels of any of `any_of`.
    pub(super) fn of(&self, metric: &Metric, any_of: &[Labels]) -> Vec<Found<'_>> {
        let number = match metric.measure {
            Measure::Mean { of } => Some(of),
            Measure::Growth | Measure::State => None,
        };
        let fits = |key: &Key| {
            let has = |name: &str, value: &str| {
                let label = key.labels.get(name).map(AsRef::as_ref).unwrap_or_default();
                value.eq_ignore_ascii_case(label)
            };
            let has_all = |labels: &Labels| labels.iter().all(|(name, value)| has(name, value));
            metric.only.is_none_or(|(name, value)| has(name, value)) && any_of.iter().any(has_all)
        };
        let found = self.series.iter().filter_map(|(key, kept)| {
            let is_number = Some(&*key.name) == number;
            let is_asked = (*key.name == *metric.source || is_number) && fits(key);
            is_asked.then_some(Found { labels: &key.labels, points: &kept.points, is_number })
        });
        found.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::series;

    const OPENED: &str = "tidings_webpubsub_connections_opened_total";

    fn opened(history: &History) -> Vec<(i64, f64)> {
        let catalogue = Catalogue::new([]);
        let metrics = &catalogue.namespace("Microsoft.SignalRService/WebPubSub").unwrap().metrics;
        let metric = metrics.iter().find(|it| it.source == OPENED).unwrap();
        let found = history.of(metric, &[vec![("resource", "local".to_owned())]]);
        found.iter().flat_map(|it| it.points.iter().copied()).collect()
    }

    fn look(history: &mut History, minute: i64, value: u32) {
        let text = format!("{OPENED}{{resource=\"local\"}} {value}\nother_total 7\n");
        history.take(&Catalogue::new([]), minute, series(&text));
    }

    #[test]
    fn a_minute_has_what_a_counter_grew_by() {
        let mut history = History::default();
        for (minute, value) in [(10, 3), (10, 5), (11, 5), (12, 6), (13, 2)] {
            look(&mut history, minute, value);
        }
        assert_eq!(
            opened(&history),
            [(10, 5.0), (12, 1.0)],
            "a counter that begins anew takes nothing away"
        );
        assert_eq!(history.series.len(), 1, "what no metric needs is not kept");
    }

    #[test]
    fn a_day_is_kept() {
        let mut history = History::default();
        look(&mut history, 0, 1);
        look(&mut history, MINUTES, 2);
        assert_eq!(opened(&history), [(MINUTES, 1.0)]);
        assert_eq!(history.points, 1);
    }
}
