//! The five kinds of value in PostgreSQL's binary form.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Val;

/// The column of a row; says why it cannot be one of the five kinds.
pub(super) fn column(row: &Row, index: usize) -> Result<Val, String> {
    row.try_get(index).map_err(|_| {
        let ty = row.columns()[index].type_();
        format!("column {index} has the type {ty}, which the store does not know; cast it")
    })
}

impl ToSql for Val {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(int) => int.to_sql(ty, out),
            Self::Real(real) => real.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }

    /// The type was declared from the value, so the two agree.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Val {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Self::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::Real(f32::from_sql(ty, raw)?.into()),
            Type::NUMERIC => numeric(raw).ok_or("not a number")?,
            Type::BYTEA => Self::Blob(raw.to_vec()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        let known = [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::FLOAT8,
            Type::FLOAT4,
            Type::NUMERIC,
            Type::BYTEA,
        ];
        known.contains(ty) || <String as FromSql>::accepts(ty)
    }
}

/// What `sum` of integers and `avg` answer: an integer when it is declared without decimals and fits,
/// else a real number. Layout: `numeric_send` in the server's `src/backend/utils/adt/numeric.c`, 16 bits
/// each: count of digits, weight of the first, sign, decimals shown, then digits to base 10,000.
fn numeric(raw: &[u8]) -> Option<Val> {
    const NEGATIVE: u16 = 0x4000;
    let (words, []) = raw.as_chunks::<2>() else { return None };
    let mut words = words.iter().map(|word| u16::from_be_bytes(*word));
    let count = words.next()?;
    let weight = i32::from(words.next()?.cast_signed());
    let sign = match words.next()? {
        0 => "",
        NEGATIVE => "-",
        _ => return None, // not a number, or infinite
    };
    let whole = words.next()? == 0;
    let digits: String = words.map(|digit| format!("{digit:04}")).collect();
    let exponent = 4 * (weight + 1 - i32::from(count));
    if let (true, Ok(zeros)) = (whole, usize::try_from(exponent)) {
        let int = format!("{sign}0{digits}{}", "0".repeat(zeros)).parse();
        if let Ok(int) = int {
            return Some(Val::Int(int));
        }
    }
    format!("{sign}0{digits}e{exponent}").parse().ok().map(Val::Real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(words: &[u16]) -> Option<Val> {
        numeric(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_without_decimals_are_integers_as_long_as_they_fit() {
        assert_eq!(decoded(&[0, 0, 0, 0]), Some(Val::Int(0)));
        assert_eq!(decoded(&[2, 1, 0, 0, 12, 34]), Some(Val::Int(120_034)));
        assert_eq!(decoded(&[1, 2, 0x4000, 0, 7]), Some(Val::Int(-700_000_000)));
        assert_eq!(decoded(&[1, 5, 0, 0, 1]), Some(Val::Real(1e20)));
        assert_eq!(decoded(&[2, 0, 0x4000, 4, 1, 2500]), Some(Val::Real(-1.25)));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(decoded(&[0, 0, 0xC000, 0]), None);
        assert_eq!(decoded(&[0, 0]), None);
        assert_eq!(numeric(&[0]), None);
    }
}
