//! Over real sockets on loopback: faults, books on both sides, keys, consent, crashes.

mod books;
mod consent;
mod crash_loop;
pub(crate) mod crashes;
mod dates;
mod faults;
mod keys;
mod odd_answers;
#[cfg(all(unix, feature = "failpoints"))]
mod points;
#[cfg(unix)]
mod pty;
pub(crate) mod raw;
#[cfg(unix)]
mod references;
mod references_met;
mod references_server;
mod requests;
mod secrets;
mod server;
