//! Over real sockets on loopback: faults, books on both sides, keys, consent, crashes.

mod books;
mod consent;
mod crashes;
mod faults;
mod keys;
#[cfg(unix)]
mod pty;
mod raw;
mod requests;
mod secrets;
mod server;
