//! The library behind the `imagemill` command: a guided tour of its floors.

pub mod domain;
