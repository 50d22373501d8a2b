//! The log lines of one test.
//!
//! There is one subscriber for the whole process: several that come and go with their tests would
//! decide for one another which lines are of interest. Each thread keeps its own lines.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

thread_local! {
    /// The lines of this thread, once a test wants them.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Catches what this thread logs, from `info` on. Work of other threads is not seen, so a test
/// keeps its tasks on one.
#[derive(Debug)]
pub struct LogLines(());

impl LogLines {
    /// Begins to catch; what an earlier test of this thread caught is forgotten.
    ///
    /// # Panics
    /// When something else has set the subscriber of the process.
    pub fn catch() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Self(()));
            tracing::subscriber::set_global_default(subscriber.finish())
                .expect("no test sets a subscriber of its own");
        });
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// All that was caught so far.
    ///
    /// # Panics
    /// When a line is not UTF-8.
    pub fn text(&self) -> String {
        let lines = LINES.with_borrow(|lines| lines.clone().unwrap_or_default());
        String::from_utf8(lines).expect("log lines are text")
    }
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
