//! Everything of the service that must outlive the process: all its SQL.
//!
//! | module | what |
//! |---|---|
//! | `schema` | the tables |
//! | `hubs` | notification hubs, their policies and credentials, sealed |
//! | `registrations` | registrations: writing, finding, listing, taking away |
//! | `installations` | installations with the registrations that are made from them |
//! | `audience` | who a send is for, page by page |
//! | `reports` | notifications with their outcomes, and what push services refused |
//! | `sends` | notifications on their way: their parts, requests that came twice |
//! | `namespaces` | what management keeps of namespaces |
//!
//! A write that depends on what was read replaces the row that was read: it deletes exactly that
//! version and inserts the next. When another writer was faster, the insert meets the other's row and
//! the whole transaction is undone; the caller reads again. So nothing is locked between a read and a
//! write, on either engine.

mod audience;
mod hubs;
mod installations;
mod namespaces;
mod registrations;
mod reports;
mod row;
mod schema;
mod sends;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kernel::{Error, ErrorKind, Result};
use storage::{Db, MasterKey};

use crate::registration::KeySource;

pub use audience::{Audience, Recipient, Selection};
pub(crate) use hubs::check_hub_name;
pub use hubs::{Hub, HubChange};
pub use namespaces::NamespaceRow;
pub use registrations::{Lifetime, ListPage, MAX_PAGE, Removed};
pub use reports::{FeedbackEntry, FeedbackOf, NewNotification};
pub use sends::Listed;

/// A hub in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HubKey(pub i64);

/// How often a write is tried again when others are faster.
const ATTEMPTS: usize = 5;

/// The store of the service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    master: Arc<MasterKey>,
    keys: Arc<KeySource>,
}

impl Store {
    /// The store over a database, after bringing its schema up to date.
    ///
    /// # Errors
    /// When the schema is newer than this program, or the database cannot be used.
    pub async fn open(db: Db, master: Arc<MasterKey>) -> Result<Self> {
        db.migrate("notificationhubs", &schema::MIGRATIONS).await?;
        Ok(Self { db, master, keys: Arc::default() })
    }

    /// Where new keys come from.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// The database, for work that is to be written in one transaction with what this store keeps.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Whether a write met another writer's row, so that reading again may help.
fn is_race(error: &storage::Error) -> bool {
    matches!(error, storage::Error::Duplicate(_))
}

fn too_many_writers() -> Error {
    let message = "Several requests changed the same thing at once. Try again.";
    Error::new(ErrorKind::Conflict, "40901", message)
}
