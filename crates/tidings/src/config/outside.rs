//! The two things that checking a configuration asks of the machine: variables and files.
//!
//! They stand behind a trait so that checking stays a function of its arguments and tests need
//! neither a folder nor a process environment.

use std::io;
use std::path::Path;

/// The machine around a configuration.
pub trait Outside {
    /// Every environment variable whose name and value are text, in any order.
    fn variables(&self) -> Vec<(String, String)>;

    /// The text of a file.
    ///
    /// # Errors
    /// Whatever keeps the file from being read as UTF-8 text.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The machine that this process runs on.
#[derive(Debug, Clone, Copy)]
pub struct Machine;

impl Outside for Machine {
    fn variables(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

#[cfg(test)]
pub(super) mod fake {
    use std::collections::BTreeMap;

    use super::*;

    /// A machine of two maps.
    #[derive(Debug, Default, Clone)]
    pub(in super::super) struct Fake {
        pub(in super::super) variables: BTreeMap<String, String>,
        pub(in super::super) files: BTreeMap<String, String>,
    }

    impl Fake {
        pub(in super::super) fn variable(mut self, name: &str, value: &str) -> Self {
            self.variables.insert(name.to_owned(), value.to_owned());
            self
        }

        pub(in super::super) fn file(mut self, path: &str, text: &str) -> Self {
            self.files.insert(path.to_owned(), text.to_owned());
            self
        }
    }

    impl Outside for Fake {
        fn variables(&self) -> Vec<(String, String)> {
            self.variables.clone().into_iter().collect()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            self.files
                .get(path.to_str().unwrap())
                .cloned()
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        }
    }
}
