//! Values in and out of SQL. Five kinds, so that every engine stores them alike: time is microseconds
//! in an integer, a truth value is 0 or 1, JSON is text, an id is text or a blob.

use kernel::Timestamp;

use crate::{Error, Result};

/// A parameter or a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Val {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Blob(_) => "a blob",
        }
    }
}

/// One row of a result; columns count from 0 in the order of the `SELECT` or `RETURNING` list.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<Val>);

impl Row {
    pub(crate) fn new(columns: Vec<Val>) -> Self {
        Self(columns)
    }

    /// The column as a Rust type; `Option<T>` for one that may be null.
    ///
    /// # Errors
    /// [`Error::Column`] when the row has no such column or it is of another kind.
    pub fn get<T: FromVal>(&self, index: usize) -> Result<T> {
        let absent = Error::Column { index, expected: T::EXPECTED, found: "no such column" };
        let val = self.0.get(index).ok_or(absent)?;
        let found = val.kind();
        T::from_val(val).ok_or(Error::Column { index, expected: T::EXPECTED, found })
    }

    /// All columns.
    pub fn into_values(self) -> Vec<Val> {
        self.0
    }
}

/// A Rust type that a column can be read as.
pub trait FromVal: Sized {
    /// The kind in words, for the error.
    const EXPECTED: &'static str;

    /// The value, when the column is of this kind.
    fn from_val(val: &Val) -> Option<Self>;
}

macro_rules! column_type {
    ($type:ty, $expected:literal, $pattern:pat => $value:expr) => {
        impl FromVal for $type {
            const EXPECTED: &'static str = $expected;

            fn from_val(val: &Val) -> Option<Self> {
                match val {
                    $pattern => Some($value),
                    _ => None,
                }
            }
        }
    };
}

column_type!(i64, "an integer", Val::Int(int) => *int);
column_type!(f64, "a real number", Val::Real(real) => *real);
column_type!(String, "text", Val::Text(text) => text.clone());
column_type!(Vec<u8>, "a blob", Val::Blob(bytes) => bytes.clone());
column_type!(bool, "0 or 1", Val::Int(int @ (0 | 1)) => *int == 1);
column_type!(Timestamp, "microseconds in an integer", Val::Int(int) => Self::from_micros(*int));

impl<T: FromVal> FromVal for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_val(val: &Val) -> Option<Self> {
        match val {
            Val::Null => Some(None),
            other => T::from_val(other).map(Some),
        }
    }
}

impl From<i64> for Val {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<f64> for Val {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<bool> for Val {
    fn from(truth: bool) -> Self {
        Self::Int(i64::from(truth))
    }
}

impl From<Timestamp> for Val {
    fn from(moment: Timestamp) -> Self {
        Self::Int(moment.as_micros())
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Val {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Val {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Val {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Parameters of mixed Rust types: `vals!["ann", 7_i64, None::<String>]`.
#[macro_export]
macro_rules! vals {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Val::from($value)),*]
    };
}
