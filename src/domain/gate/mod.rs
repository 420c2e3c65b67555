//! Gates: conditions on a run, written by the user, checked before anything is sent, measured
//! while the run goes on and judged by exact arithmetic.
//!
//! The way of a gate: [`Gate::parse`] reads a text into an expression ([`expression`],
//! [`metric`]); [`Gate::check`] refuses what this version cannot measure or what would match no
//! row; a [`GateBook`] takes facts of finished rows and attempts ([`facts`]) into counters of
//! constant size; [`GateBook::report`] gives each gate a [`Verdict`].

mod book;
mod check;
mod clauses;
pub mod expression;
pub mod facts;
mod lexer;
mod limit;
pub mod metric;
mod outlook;
mod parser;
pub mod result;
mod show;
mod source;
mod tally;
pub mod verdict;

#[cfg(test)]
mod tests;

pub use book::{Doom, GateBook, default_gates};
pub use check::{CheckError, StaticContext};
pub use expression::Gate;
pub use facts::{AttemptFacts, RowCounts, RowFacts, RowTags, RunFacts};
pub use parser::ParseError;
pub use result::{GateNumber, GateResult};
pub use verdict::{Verdict, overall};
