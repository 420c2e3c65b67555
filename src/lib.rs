//! The library behind the `imagemill` command: a guided tour of its floors.

pub mod adapters;
pub mod commands;
pub mod domain;
pub mod report;
