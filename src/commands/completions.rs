//! `imagemill completions` and `imagemill man`.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::adapters::output::files::write_whole;
use crate::cli::args::Cli;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::exit::Exit;

/// Writes a completion script to standard output.
///
/// # Errors
/// Never; a closed pipe wants no more.
pub fn completions(world: &World, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "imagemill", &mut script);
    world.printer.result(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}

/// Writes the manual page, or one for each command into a folder.
///
/// # Errors
/// When a page cannot be written.
pub fn man(world: &World, folder: Option<&str>) -> Result<Exit, Failure> {
    let root = Cli::command();
    let Some(folder) = folder else {
        world.printer.result(&page(root)?);
        return Ok(Exit::Ok);
    };
    let mut n_pages = 0;
    pages(&root, "imagemill", &world.path(folder), &mut n_pages)?;
    world.printer.result(&format!("{n_pages} manual pages in {folder}\n"));
    Ok(Exit::Ok)
}

fn pages(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    n_pages: &mut u32,
) -> Result<(), Failure> {
    let text = page(command.clone().display_name(name.to_owned()))?;
    write_whole(&folder.join(format!("{name}.1")), text.as_bytes())
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    *n_pages += 1;
    for child in command.get_subcommands() {
        pages(child, &format!("{name}-{}", child.get_name()), folder, n_pages)?;
    }
    Ok(())
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error: io::Error| Failure::new(Exit::Bug, error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
