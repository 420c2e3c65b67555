//! Servers on this machine.

pub mod sim;
