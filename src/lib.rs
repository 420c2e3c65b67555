//! The library behind the `imagemill` command: a guided tour of its floors.
//!
//! An arrow may only point down, and modules on the same floor never import each other; a test
//! enforces both. There is no promise of a stable library interface: the command is the product.
//!
//! - Floor 5: [`app`] turns an invocation into an [`exit`].
//! - Floor 4: [`commands`] compose adapters, pipeline and report, one file per command.
//! - Floor 3: [`cli`] turns arguments, environment and config files into settings.
//! - Floor 2: [`pipeline`] runs the rows, [`adapters`] touch the world, [`report`] shows results,
//!   [`server`] listens.
//! - Floor 1: [`ports`] are what the pipeline asks of the world.
//! - Floor 0: [`domain`] holds values, arithmetic and decisions, and nothing that can block.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod commands;
pub mod domain;
pub mod exit;
pub mod pipeline;
pub mod ports;
pub mod report;
pub mod server;
