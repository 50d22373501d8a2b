//! One SQL statement, its parameters, and what it did. How an engine runs it is the engine's affair.

use std::borrow::Cow;

use crate::{Error, Row, Val};

/// SQL text and its parameters, written `$1`, `$2`, … in any order and as often as needed.
/// Transactions are the store's own business: a statement that begins or ends one is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) params: Vec<Val>,
}

/// What a statement did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows of a `SELECT` or `RETURNING`.
    pub rows: Vec<Row>,
    /// Rows inserted, updated or deleted.
    pub affected: u64,
}

impl Statement {
    /// One statement; `params[0]` is `$1`.
    pub fn new(sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Val>>) -> Self {
        Self { sql: sql.into(), params: params.into() }
    }

    /// The refusal of a statement that is a mistake of the program.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Statement { sql: self.sql.clone().into_owned(), reason: reason.into() }
    }

    /// What is wrong with the parameters when the text uses those of these numbers.
    pub(crate) fn check_params(&self, used: impl IntoIterator<Item = usize>) -> Result<(), Error> {
        // PostgreSQL cannot keep it, so no engine does.
        if self.params.iter().any(|val| matches!(val, Val::Text(text) if text.contains('\0'))) {
            return Err(Error::ZeroCharacter);
        }
        let given = self.params.len();
        let mut unused = vec![true; given];
        for number in used {
            match number.checked_sub(1).and_then(|index| unused.get_mut(index)) {
                Some(unused) => *unused = false,
                None => {
                    let reason = format!("${number} is used, but {given} parameter(s) are given");
                    return Err(self.wrong(reason));
                }
            }
        }
        match unused.iter().position(|unused| *unused) {
            Some(index) => Err(self.wrong(format!("${} is given, but not used", index + 1))),
            None => Ok(()),
        }
    }
}

/// The number of `$7`; leading zeros would make two names for one parameter.
pub(crate) fn parameter_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('$')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

/// What a statement is told whose parameters are not written that way.
pub(crate) const PARAMETER_FORM: &str = "parameters are written $1, $2, …";
