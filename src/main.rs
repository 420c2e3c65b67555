//! The `imagemill` command.

fn main() {}
