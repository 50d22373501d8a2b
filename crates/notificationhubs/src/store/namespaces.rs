//! Namespaces: what management keeps of them. Their hubs and policies are found by their name.

use kernel::{Result, Timestamp};
use storage::{Statement, vals};

use super::Store;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRow {
    /// Its name, in lower case.
    pub name: String,
    /// What management keeps of it, as JSON without secrets.
    pub document: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

impl Store {
    /// All namespaces, by name.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn namespaces(&self) -> Result<Vec<NamespaceRow>> {
        let sql = "SELECT name, document, created, changed FROM push_namespaces ORDER BY name";
        let rows = self.db.query(sql, []).await?;
        let namespace = |row: &storage::Row| {
            Ok(NamespaceRow {
                name: row.get(0)?,
                document: row.get(1)?,
                created: row.get(2)?,
                changed: row.get(3)?,
            })
        };
        rows.iter().map(namespace).collect()
    }

    /// Creates a namespace or replaces what is kept of it.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn put_namespace(&self, name: &str, document: &str, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO push_namespaces (name, document, created, changed)
                   VALUES ($1, $2, $3, $3) ON CONFLICT (name)
                   DO UPDATE SET document = excluded.document, changed = excluded.changed";
        self.db.execute(sql, vals![name.to_ascii_lowercase(), document, now]).await?;
        Ok(())
    }

    /// Takes a namespace away with its policies; its hubs are deleted one by one before. Tells
    /// whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_namespace(&self, name: &str) -> Result<bool> {
        let name = name.to_ascii_lowercase();
        let policies = "DELETE FROM push_policies WHERE namespace = $1 AND hub = 0";
        let namespace = "DELETE FROM push_namespaces WHERE name = $1";
        let statements = [policies, namespace].map(|sql| Statement::new(sql, vals![name.as_str()]));
        let outcomes = self.db.write(statements).await?;
        Ok(outcomes[1].affected == 1)
    }
}
