//! A database for one test, and the macro that runs a test on every engine.
//!
//! A crate that keeps rows here lists `storage` with the feature `testing` among its
//! dev-dependencies, writes each case as `async fn case(db: TestDb)`, and names them all once in
//! [`conformance!`](crate::conformance). A case that is forgotten there is dead code, which the
//! compiler reports.

use std::ops::Deref;

use tempfile::TempDir;

use crate::{Db, Durability, Options};

/// An empty database that goes when this does. Its migrations are the test's business.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    folder: TempDir,
}

/// A SQLite database in a folder of its own.
///
/// # Panics
/// When the folder or the file cannot be made.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("tests have a folder for temporary files");
    let db = open(&folder);
    TestDb { db, folder }
}

impl TestDb {
    /// A second handle on the same database, as another process would have.
    ///
    /// # Panics
    /// When the database cannot be opened.
    pub async fn another_handle(&self) -> Db {
        open(&self.folder)
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

fn open(folder: &TempDir) -> Db {
    // Tests end with the machine that they run on, so nothing has to wait for its disk.
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    Db::open(folder.path().join("test.db"), &options).expect("a fresh folder holds a database")
}

/// Makes one test of each case for each engine: `sqlite::case` and so on. A case is an
/// `async fn(TestDb)` beside the call.
#[macro_export]
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case($crate::testing::sqlite().await).await;
            })+
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::conformance!(a_second_handle_sees_the_same_database);

    async fn a_second_handle_sees_the_same_database(db: TestDb) {
        db.execute("CREATE TABLE item (n INTEGER NOT NULL)", []).await.unwrap();
        db.execute("INSERT INTO item (n) VALUES (7)", []).await.unwrap();
        let rows = db.another_handle().await.query("SELECT n FROM item", []).await.unwrap();
        assert_eq!(rows[0].get::<i64>(0), Ok(7));
    }
}
