//! A ledger that keeps nothing: a dry run has its sums in the task, and no line is ever written.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::ledger::founding::to_microseconds;
use crate::domain::ledger::{Founding, OwnerId, Record};
use crate::ports::ledger::{CatchUp, LedgerStore, Manners, StoreError};

/// A store for one process and one run, which forgets every record.
#[derive(Debug)]
pub struct MemoryLedger {
    first: Vec<Record>,
}

impl MemoryLedger {
    /// A new ledger, made at `now`; its days are those of `zone`.
    pub fn new(founding: &Founding, now: Timestamp, zone: &TimeZone) -> Self {
        let time = to_microseconds(now);
        let day = zone.to_datetime(time).date();
        Self { first: founding.records(time, day).into() }
    }
}

#[async_trait]
impl LedgerStore for MemoryLedger {
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        Ok(CatchUp { records: std::mem::take(&mut self.first), ..CatchUp::default() })
    }

    async fn commit(&mut self, _records: &[Record]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn abandon(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn dead_owners(&mut self, _owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        Ok(Vec::new())
    }

    async fn retire(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn manners(&self) -> Manners {
        Manners { linger: None, poll: None }
    }
}
