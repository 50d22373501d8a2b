//! The query language of the log tables: a subset of KQL, read, checked and run.
//!
//! - [`parse`]: text to a [`Query`]; printing one gives text back
//! - [`bind`]: names to columns, types checked, what the store can use found: a [`Prepared`] plan
//! - [`run`]: rows through the plan, batch by batch, within [`Limits`]
//!
//! Everything but the reading of tables is pure. Bad input never panics: text, depth, operators,
//! plans, memory and answers are bounded. Not there: functions defined with `let`, `mv-expand`,
//! `make-series`, `parse`, `evaluate`, queries inside `in (…)`, the type `decimal`; each is refused
//! by name.

mod aggregate;
mod ast;
mod bind;
mod compare;
mod error;
mod functions;
pub(crate) mod moment;
mod parse;
mod plan;
mod print;
mod run;
#[cfg(test)]
mod tests;
mod token;
mod value;

pub use ast::{Query, Render};
pub use bind::{Prepared, bind};
pub use error::{Fault, KqlError};
pub use parse::parse;
pub use plan::{Catalogue, Column, Plan, Scan};
pub use run::{Answer, Batches, Failure, Limits, Tables, run};
pub use value::{Row, Type, Value};
