//! Where notifications stopped: the journey that is asked about, or those of the window that did not
//! end well.

use ::monitor::journey::{Journey, Journeys, Query, Verdict};
use ::monitor::playbook::{Found, Question};
use kernel::Timestamp;

use super::unknown;

/// Journeys that failed, and that wait, which are read.
const LATEST: usize = 20;

/// Reads them, newest first.
pub(super) async fn read(
    journeys: &Journeys,
    question: &Question,
    now: Timestamp,
) -> Found<Vec<Journey>> {
    if let Some(id) = &question.journey {
        let found = journeys.find(id).await.map_err(|error| unknown(&error))?;
        return Ok(found.map(|it| it.journey).into_iter().collect());
    }
    let mut summaries = Vec::new();
    for verdict in [Verdict::Failed, Verdict::Waiting] {
        let query = Query {
            subject: question.thread.clone(),
            since: Some(now - question.since),
            verdict: Some(verdict),
            limit: LATEST,
        };
        summaries.extend(journeys.list(&query).await.map_err(|error| unknown(&error))?);
    }
    summaries.sort_by_key(|it| std::cmp::Reverse(it.started));
    let mut whole = Vec::new();
    for it in summaries {
        let found = journeys.find(&it.id.to_string()).await.map_err(|error| unknown(&error))?;
        whole.extend(found.map(|it| it.journey));
    }
    Ok(whole)
}
