//! The pipeline on fakes, in virtual time.

mod bench;
mod clock;
mod failures;
mod fakes;
mod histories;
mod lane;
mod order;
mod ran;
mod reference_fakes;
mod references;
mod retries;
mod room;
mod stops;
