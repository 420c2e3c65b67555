//! The ledger, pure: its records (format v1), its lines, and the state that they add up to.

pub mod admit;
pub mod clock;
pub mod draft;
pub mod entries;
pub mod founding;
pub mod line;
pub mod parse;
pub mod promise;
pub mod reading;
pub mod record;
pub mod scan;
pub mod state;
pub mod words;

pub use admit::{Admission, Ask, Ceilings, Refusal, RefusalScope};
pub use draft::{Booked, BrokenRule, Draft};
pub use founding::{DEFAULT_LIMIT_PER_DAY, Founding};
pub use line::cut_text;
pub use record::*;
pub use state::{LedgerState, Violation};
pub use words::*;

#[cfg(test)]
mod tests;
