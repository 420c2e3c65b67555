//! The library behind the `imagemill` command: a guided tour of its floors.

pub mod adapters;
pub mod domain;
pub mod pipeline;
pub mod ports;
