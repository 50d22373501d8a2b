//! The name under which this process works on deliveries.
//!
//! Several processes may share a database, and no two may share a name: a node takes back at its start
//! what its former life held. So the name is made at random, stands in a file of the data folder, and
//! belongs to the process that holds that file's lock. Where another process of the same folder has
//! it, a name for one life must do; what a crash leaves then waits until its leases run out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use uuid::Uuid;

/// A name, held while this lives.
#[derive(Debug)]
pub struct Node {
    name: String,
    _lock: Option<File>,
}

impl Node {
    /// Takes the name of a data folder, which must exist; makes it the first time.
    ///
    /// # Errors
    /// When the file cannot be read, written or locked.
    pub fn claim(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("node");
        Self::take(&path).with_context(|| format!("cannot use the file {}", path.display()))
    }

    /// The name that a data folder has, whoever holds it; none before the first start.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn known(folder: &Path) -> anyhow::Result<Option<String>> {
        let path = folder.join("node");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Uuid::parse_str(text.trim()).ok().map(|name| name.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("cannot read the file {}", path.display()))
            }
        }
    }

    /// As deliveries know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn take(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let fresh = Uuid::new_v4().to_string();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Self { name: fresh, _lock: None }),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A crash may have left a part of a name.
        let name = match Uuid::parse_str(text.trim()) {
            Ok(kept) => kept.to_string(),
            Err(_) => {
                file.set_len(0)?;
                io::Seek::rewind(&mut file)?;
                writeln!(file, "{fresh}")?;
                fresh
            }
        };
        Ok(Self { name, _lock: Some(file) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_name_from_life_to_life() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Node::known(folder.path()).unwrap(), None);
        let first = Node::claim(folder.path()).unwrap().name().to_owned();
        assert_eq!(Node::known(folder.path()).unwrap().as_ref(), Some(&first));
        assert_eq!(Node::claim(folder.path()).unwrap().name(), first);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Node::claim(other.path()).unwrap().name(), first);
    }

    #[test]
    fn two_processes_of_a_folder_have_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let one = Node::claim(folder.path()).unwrap();
        let other = Node::claim(folder.path()).unwrap();
        assert_ne!(one.name(), other.name());
        drop(other);
        let third = Node::claim(folder.path()).unwrap();
        assert_ne!(one.name(), third.name());
    }

    #[test]
    fn a_damaged_name_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("node"), "1b5cc06b-f3").unwrap();
        let name = Node::claim(folder.path()).unwrap().name().to_owned();
        assert_eq!(Node::claim(folder.path()).unwrap().name(), name);
        Uuid::parse_str(&name).unwrap();
    }
}
