//! Filters: which connections an operation is for, in a subset of OData.
//!
//! A text is parsed once into a predicate whose types are right by construction, so that asking
//! it of each connection cannot fail. Nothing here knows where connections live: a caller shows
//! each as a [`Subject`].
//!
//! | module | what |
//! |---|---|
//! | `lex` | text to tokens |
//! | `parse`, `call`, `term` | tokens to a predicate: grammar, functions, types |
//! | `expression` | the predicate and its evaluation |
//! | `problem` | what is wrong with a text, where, and the cure |
//!
//! Sources: the grammar of the published filter reference; where it is silent (null, ranges) the
//! public emulator. Text is measured in UTF-16 units, as the service does.

mod call;
mod expression;
mod lex;
mod parse;
mod problem;
mod term;

use kernel::{Error, ErrorKind, Result};

use expression::Predicate;

/// The longest text, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// How deep parentheses, calls and `not` may stand in one another.
pub const MAX_DEPTH: usize = 100;
/// How many expressions `and` and `or` may join. The documented guideline is 100.
pub const MAX_CLAUSES: usize = 1000;

/// A filter that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Predicate);

/// A connection as filters see it.
pub trait Subject {
    /// The user; `None` is `null` to a filter.
    fn user_id(&self) -> Option<&str>;
    /// The connection's id.
    fn connection_id(&self) -> &str;
    /// The negotiated subprotocol, if any.
    fn protocol(&self) -> Option<&str>;
    /// Whether the connection is in a group.
    fn in_group(&self, group: &str) -> bool;
    /// The number of groups that the connection is in.
    fn group_count(&self) -> usize;
}

impl Filter {
    /// Reads a filter. What an empty text means is the operation's business: here it is an error.
    ///
    /// # Errors
    /// `Invalid`, in the service's own words for it, with the character (counted from 1) at fault
    /// and a cure.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(invalid(format!(
                "Invalid filter: it has {} bytes, at most {MAX_BYTES} are allowed. \
                 (Parameter 'filter') Split the operation into several with shorter filters.",
                text.len()
            )));
        }
        parse::parse(text).map(Self).map_err(|problem| invalid(problem.message(text)))
    }

    /// Whether a connection is meant.
    pub fn matches(&self, subject: &dyn Subject) -> bool {
        self.0.holds(subject)
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "Error.BadRequest", message).target("filter")
}

#[cfg(test)]
mod tests;
