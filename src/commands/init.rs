//! `imagemill init`: a first config file, example rows, and what git should leave out. Nothing that
//! is there is changed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::cli::args::init::InitArgs;
use crate::commands::failure::{Failure, FileError};
use crate::commands::world::World;
use crate::exit::Exit;

/// The config file: every line of it is a comment, so that it changes nothing until it is edited.
pub const CONFIG: &str = include_str!("init/imagemill.toml");

/// Rows to begin with.
pub const ROWS: &str = include_str!("init/rows.example.csv");

/// What git should leave out.
const IGNORE: &str = "/out/\n/.imagemill/\n";

/// Writes what is not there yet.
///
/// # Errors
/// When the folder takes no file.
pub fn run(world: &World, _args: &InitArgs) -> Result<Exit, Failure> {
    let mut text = String::new();
    for (name, content, what) in [
        ("imagemill.toml", CONFIG, "settings, all commented out"),
        ("rows.example.csv", ROWS, "3 rows, 4 images"),
        (".gitignore", IGNORE, "leaves out/ and .imagemill/ out of git"),
    ] {
        let line = match create(&world.path(name), content) {
            Ok(()) => format!("Wrote {name:<17} {what}\n"),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                format!("Kept  {name:<17} {}\n", kept(world, name))
            }
            Err(source) => {
                let path = name.to_owned();
                return Err(Failure::new(
                    Exit::Environment,
                    FileError { action: "write", path, source },
                ));
            }
        };
        text.push_str(&line);
    }
    text.push_str("Next: imagemill doctor    then: imagemill run rows.example.csv\n");
    world.printer.result(&text);
    Ok(Exit::Ok)
}

/// What to say of a file that is there already.
fn kept(world: &World, name: &str) -> String {
    let missing: Vec<&str> = match fs::read_to_string(world.path(name)) {
        Ok(text) if name == ".gitignore" => {
            let has = |wanted: &str| {
                text.lines().any(|line| line.trim().trim_matches('/') == wanted.trim_matches('/'))
            };
            IGNORE.lines().filter(|line| !has(line)).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    };
    if missing.is_empty() {
        return "it is there already".to_owned();
    }
    format!("add to it: {}", missing.join(" "))
}

fn create(path: &Path, content: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(content.as_bytes())
}
