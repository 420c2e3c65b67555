//! A run that was interrupted, refused, partly failed or edited goes on, and nothing is paid twice.

mod copies;
mod golden;
mod list;
mod rebuilt;
mod results;
mod rows;
mod safe;
pub(crate) mod walk;
mod which;
