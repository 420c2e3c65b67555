//! What the tests share: a sandbox in which the command runs, and what it said.

pub(crate) mod ran;
pub(crate) mod sandbox;
pub(crate) mod secret;
pub(crate) mod sim_server;
