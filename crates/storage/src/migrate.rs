//! Numbered schema changes, each applied once, in order, remembered with a checksum.
//!
//! Every component (a service, usually) numbers its own migrations from 1 by their place in its list.
//! All missing ones run in one transaction: a start-up succeeds or changes nothing. There is no way
//! back down. The engines keep the ledger; what follows from it is decided here.

use aws_lc_rs::digest::{SHA256, digest};

use crate::{Error, Result};

/// One step of a component's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What it does, in a few words; may be reworded later.
    pub name: &'static str,
    /// One or more statements; never edited once released. The same text serves every engine.
    pub sql: &'static str,
}

/// A migration to apply, with its number.
pub(crate) type Step<'a> = (usize, &'a Migration);

impl Migration {
    /// What the ledger remembers of its text.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        digest(&SHA256, self.sql.as_bytes()).as_ref().to_vec()
    }

    /// The refusal that this migration of `component` ends in.
    pub(crate) fn failed(&self, component: &str, number: usize, reason: String) -> Error {
        Error::MigrationFailed {
            component: component.to_owned(),
            number,
            name: self.name.to_owned(),
            reason,
        }
    }
}

/// The migrations still to apply, after checking that the applied ones, whose checksums these are,
/// are those of this program.
pub(crate) fn missing<'a>(
    applied: &[Vec<u8>],
    component: &str,
    migrations: &'a [Migration],
) -> Result<Vec<Step<'a>>> {
    if applied.len() > migrations.len() {
        return Err(Error::Newer {
            component: component.to_owned(),
            found: applied.len(),
            known: migrations.len(),
        });
    }
    for (index, (checksum_then, migration)) in applied.iter().zip(migrations).enumerate() {
        if *checksum_then != migration.checksum() {
            return Err(Error::MigrationChanged {
                component: component.to_owned(),
                number: index + 1,
                name: migration.name.to_owned(),
            });
        }
    }
    Ok((1..).zip(migrations).skip(applied.len()).collect())
}
