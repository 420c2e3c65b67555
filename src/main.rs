//! The `imagemill` command.

use std::process::ExitCode;

use imagemill::cli::invocation::Invocation;

fn main() -> ExitCode {
    imagemill::app::main(Invocation::from_process()).into()
}
