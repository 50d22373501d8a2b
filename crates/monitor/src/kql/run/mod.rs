//! Running a plan: rows come in batches, each step takes a batch and gives one.
//!
//! Filters and projections hold nothing; what must hold rows (sorting, grouping, joining) counts their
//! bytes against the query's share of memory. Nothing here waits but for the tables.

mod join;
mod nested;
mod stage;

use std::collections::HashMap;

use super::error::{KqlError, Result};
use super::plan::{Column, Member, Origin, Plan, Scan, Step};
use super::value::{Row, Value};
use stage::Stage;

/// What a query may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of the answer; more are cut off, which the answer says.
    pub rows: usize,
    /// Bytes of the answer, about; as above.
    pub answer_bytes: usize,
    /// Bytes that the query may hold at a time, about; more end it.
    pub held_bytes: usize,
}

impl Default for Limits {
    /// As the service: 500 000 rows, 64 MB.
    fn default() -> Self {
        Self { rows: 500_000, answer_bytes: 64_000_000, held_bytes: 256_000_000 }
    }
}

/// Where rows of tables come from.
pub trait Tables: Sync {
    /// Starts reading; rows come in the order of the table's columns.
    fn scan(&self, scan: &Scan) -> impl Batches;
}

/// A table that is being read.
pub trait Batches: Send {
    /// The next rows; none at the end.
    ///
    /// # Errors
    /// When the store fails.
    fn next(&mut self) -> impl Future<Output = kernel::Result<Option<Vec<Row>>>> + Send;
}

/// Columns and rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, a value a column.
    pub rows: Vec<Row>,
    /// Why not all rows are there, if some are missing.
    pub cut: Option<String>,
    /// How many rows were read of tables.
    pub read: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The query asks for too much.
    Query(KqlError),
    /// The store failed.
    Store(kernel::Error),
}

impl From<KqlError> for Failure {
    fn from(error: KqlError) -> Self {
        Self::Query(error)
    }
}

/// Bytes that a query holds.
#[derive(Debug)]
struct Held {
    bytes: usize,
    limit: usize,
    read: u64,
}

impl Held {
    fn take(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.limit {
            return Ok(());
        }
        let message = format!(
            "The query would hold more than {} MB at a time. Read less (a shorter time range, \
             where before summarize, sort or join), or group by fewer values.",
            self.limit / 1_000_000
        );
        Err(KqlError::limit(message))
    }
}

fn weight(row: &[Value]) -> usize {
    row.iter().map(Value::weight).sum()
}

/// Runs a plan.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    plan: &Plan,
    tables: &impl Tables,
    limits: Limits,
) -> std::result::Result<Answer, Failure> {
    let mut held = Held { bytes: 0, limit: limits.held_bytes, read: 0 };
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut cut = None;
    let mut sink = |batch: Vec<Row>| {
        for row in batch {
            bytes += weight(&row);
            let what = match (rows.len() >= limits.rows, bytes > limits.answer_bytes) {
                (true, _) => format!("{} rows", limits.rows),
                (false, true) => format!("{} MB", limits.answer_bytes / 1_000_000),
                (false, false) => {
                    rows.push(row);
                    continue;
                }
            };
            let message = format!("The answer is larger than {what}; the rest is cut off.");
            cut = Some(message);
            return Ok(false);
        }
        Ok(true)
    };
    drive(plan, tables, &mut held, &mut sink).await?;
    Ok(Answer { columns: plan.columns.clone(), rows, cut, read: held.read })
}

/// Takes rows; tells whether it wants more.
type Sink<'a> = dyn FnMut(Vec<Row>) -> Result<bool> + Send + 'a;

/// Gives all rows of a plan to `sink`.
async fn drive(
    plan: &Plan,
    tables: &impl Tables,
    held: &mut Held,
    sink: &mut Sink<'_>,
) -> std::result::Result<(), Failure> {
    let mut stages = Vec::new();
    for step in &plan.steps {
        let right = match step {
            Step::Join(join) => Some(collected(&join.right, tables, held).await?),
            _ => None,
        };
        stages.push(Stage::of(step, right));
    }
    let mut more = true;
    match &plan.origin {
        Origin::Rows(rows) => more = pass(&mut stages, rows.clone(), held, sink)?,
        Origin::Scan(scan) => {
            let mut batches = tables.scan(scan);
            while more && let Some(rows) = batches.next().await.map_err(Failure::Store)? {
                held.read += rows.len() as u64;
                more = pass(&mut stages, rows, held, sink)?;
            }
        }
        Origin::All(members) => {
            for Member { plan, columns } in members {
                if !more {
                    break;
                }
                let before = held.bytes;
                let rows = collected(plan, tables, held).await?;
                let rows = rows.into_iter();
                let rows = rows.map(|row| columns.iter().map(|it| it.eval(&row)).collect());
                let rows = rows.collect();
                held.bytes = before;
                more = pass(&mut stages, rows, held, sink)?;
            }
        }
    }
    // What was held back comes out, stage by stage.
    for at in 0..stages.len() {
        let (stage, after) = stages[at..].split_first_mut().expect("there is a stage here");
        let rows = stage.finish();
        if more {
            more = pass(after, rows, held, sink)?;
        }
    }
    Ok(())
}

/// All rows of a plan at once.
async fn collected(
    plan: &Plan,
    tables: &impl Tables,
    held: &mut Held,
) -> std::result::Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    let limit = held.limit.saturating_sub(held.bytes);
    let mut sink = |batch: Vec<Row>| {
        bytes += batch.iter().map(|row| weight(row)).sum::<usize>();
        let mut room = Held { bytes, limit, read: 0 };
        room.take(0)?;
        rows.extend(batch);
        Ok(true)
    };
    // A plan holds plans, so its future holds futures of the same kind.
    Box::pin(drive(plan, tables, held, &mut sink)).await?;
    held.take(bytes)?;
    Ok(rows)
}

/// A batch through the stages into the sink; whether more is wanted.
fn pass(
    stages: &mut [Stage<'_>],
    mut rows: Vec<Row>,
    held: &mut Held,
    sink: &mut Sink<'_>,
) -> Result<bool> {
    let mut more = true;
    for stage in stages {
        rows = stage.feed(rows, held)?;
        more &= !stage.is_full();
    }
    Ok(sink(rows)? && more)
}

/// Rows by what they have in some columns.
type Groups<T> = HashMap<Vec<Value>, T>;
