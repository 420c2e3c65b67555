//! The machine: room on its disks, and what its terminal can do.

use std::path::{Path, PathBuf};

use crate::adapters::disk::{free_bytes, shared_file_system};
use crate::cli::layers::Layers;
use crate::commands::world::World;
use crate::domain::checkup::Check;

/// A batch of a few hundred large images fits into this.
const PLENTY: u64 = 2 << 30;

/// Less than this is used up by a few images.
const LITTLE: u64 = 100 << 20;

/// Room for images, and for the ledger where that is another disk.
pub(super) fn disks(world: &World, layers: &Layers) -> Vec<Check> {
    let out = layers.out_folder();
    let places: [(&str, PathBuf); 2] =
        [("images", world.path(out)), ("the ledger", world.ledger_folder(layers))];
    let mut checks: Vec<Check> = Vec::new();
    for (what, folder) in places {
        let check = disk(what, &folder);
        let is_same = checks.last().is_some_and(|last| room_of(&last.text) == room_of(&check.text));
        if !is_same {
            checks.push(check);
        }
    }
    checks.extend(shared(&world.ledger_folder(layers)));
    checks
}

/// A ledger of real money on a file system that other machines share.
fn shared(folder: &Path) -> Option<Check> {
    let name = shared_file_system(folder).ok().flatten()?;
    let text = format!("the ledger in {} is on a network file system ({name})", folder.display());
    let fix = "name a local folder: --ledger DIR; runs refuse to spend from this one";
    Some(Check::warn("disk", text, fix))
}

fn disk(what: &str, folder: &Path) -> Check {
    let place = folder.display();
    match free_bytes(folder) {
        Ok(Some(free)) => {
            let text = format!("{} free for {what} in {place}", size(free));
            let fix = format!("make room, or name another folder than {place}");
            if free < LITTLE {
                Check::fail("disk", text, fix)
            } else if free < PLENTY {
                Check::warn("disk", text, fix)
            } else {
                Check::ok("disk", text)
            }
        }
        Ok(None) => Check::ok("disk", format!("the system does not say how much {place} has")),
        Err(error) => Check::warn(
            "disk",
            format!("{place} cannot be asked: {error}"),
            "check that the folder can be used",
        ),
    }
}

fn room_of(text: &str) -> &str {
    text.split(" free").next().unwrap_or(text)
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    if bytes >= GIB { format!("{} GiB", bytes / GIB) } else { format!("{} MiB", bytes / MIB) }
}

/// What the terminal can do.
pub(super) fn terminal(world: &World) -> Check {
    let invocation = &world.invocation;
    let yes_no = |is: bool| if is { "a terminal" } else { "no terminal" };
    let width = match invocation.terminal_width {
        Some(width) => format!("{width} columns"),
        None => format!("width not told, tables have {}", world.printer.width()),
    };
    let color = if world.printer.color() { "color" } else { "no color" };
    let ask = if invocation.can_ask() {
        "can ask for consent"
    } else {
        "cannot ask for consent: live runs need --confirm-cost or --yes"
    };
    Check::ok(
        "terminal",
        format!(
            "stdout is {}, stderr is {}, {width}, {color}; {ask}",
            yes_no(invocation.stdout_is_terminal),
            yes_no(invocation.stderr_is_terminal)
        ),
    )
}
