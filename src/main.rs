//! The `imagemill` command.

use std::process::ExitCode;

use imagemill::cli::invocation::Invocation;

fn main() -> ExitCode {
    // Only a defect of the program is shown this way, and without color.
    let _ = color_eyre::config::HookBuilder::blank().install();
    imagemill::app::main(Invocation::from_process()).into()
}
