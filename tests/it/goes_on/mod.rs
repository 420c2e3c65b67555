//! A run that was interrupted, refused, partly failed or edited goes on, and nothing is paid twice.

mod golden;
mod rows;
pub(crate) mod walk;
mod which;
