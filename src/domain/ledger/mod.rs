//! The ledger, pure: its records (format v1), its lines, and the state that they add up to.

pub mod admit;
pub mod clock;
pub mod draft;
pub mod entries;
mod fold;
pub mod founding;
pub mod group_key;
pub mod line;
pub mod parse;
pub mod promise;
pub mod reading;
pub mod reconcile;
pub mod record;
pub mod scan;
pub mod scope;
pub mod state;
mod weights;
pub mod words;

pub use admit::{Admission, Ask, Ceilings, Refusal};
pub use draft::{Booked, BrokenRule, Draft};
pub use founding::{DEFAULT_LIMIT_PER_DAY, Founding};
pub use line::{cut_name, cut_tags, cut_text};
pub use record::*;
pub use scope::LimitScope;
pub use state::{LedgerState, Violation};
pub use weights::WINDOW;
pub use words::*;

#[cfg(test)]
mod tests;
