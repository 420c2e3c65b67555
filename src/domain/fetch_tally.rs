//! What has been done to get references, for reports.

use serde::Serialize;

/// Counters of a run's references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchTally {
    /// Files that were read, each once.
    pub files: u64,
    /// Objects that were fetched from elsewhere, each once.
    pub fetched: u64,
    /// Of them, those of which what was kept from earlier is still good.
    pub unchanged: u64,
    /// Bytes that were received.
    pub bytes: u64,
    /// Rows that shared an object with an earlier one.
    pub shared: u64,
    /// Addresses that were signed anew.
    pub refreshed: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Asks that came to nothing.
    pub failed: u64,
    /// The most tries that ran at once.
    pub most_at_once: u32,
    #[serde(skip)]
    running: u32,
}

impl FetchTally {
    /// A try begins.
    pub fn begin(&mut self) {
        self.running += 1;
        self.most_at_once = self.most_at_once.max(self.running);
    }

    /// A try has ended.
    pub fn end(&mut self) {
        self.running -= 1;
    }
}
