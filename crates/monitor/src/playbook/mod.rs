//! The playbook: given a symptom, or none, why a notification did not arrive, with evidence.
//!
//! | module | what |
//! |---|---|
//! | `question` | what is asked: a symptom, and whom or what it is about |
//! | `facts` | what may be known: measured, read in records, read in the store |
//! | `hypotheses` | one file for each thing that may be wrong: what it asks for, how it judges |
//! | `report` | verdicts, evidence and mitigations, in the order in which people read them |
//! | `probes`, `examine` | the port through which facts come, and the asking of it |
//! | `rest` | `POST /playbook`, `GET /playbook` |
//! | `words` | how moments and counts are told |
//!
//! Judging is pure: facts in, a judgement out. What cannot be known is said so rather than guessed:
//! a hypothesis whose facts are missing cannot tell. It mends nothing.
//!
//! Invariants: every hypothesis ends in exactly one verdict; what it says carries the tag of how it is
//! known; a report is there within [`LIMIT`], whatever its probes wait for; no secret is in it.

mod examine;
mod facts;
mod hypotheses;
mod probes;
mod question;
mod report;
mod rest;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;

pub use examine::{LIMIT, Playbook};
pub use facts::{
    Answers, Audience, Certificate, Dead, End, Facts, Fault, Found, Handler, Hub, HubCheck, Lapsed,
    Link, LinkedHub, Membership, Need, Phone, Problem, Reach, Receiver, Record, Records, Refusal,
    RefusalKind, Repeated, Route, Subscription, Table, Token, Unknown,
};
pub use hypotheses::{ALL, Hypothesis};
pub use probes::{Doing, Probes};
pub use question::{Question, Symptom};
pub use report::{Evidence, Finding, Judgement, Mitigation, Report, Tag, Verdict};
