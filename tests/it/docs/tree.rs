//! The top level holds what it may hold and nothing else.

use std::path::Path;

use super::root;

/// What may lie at the top level, beside files that begin with a dot.
const ALLOWED: [&str; 11] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "examples",
    "fixtures",
    "src",
    "tests",
];

/// What builds and runs leave behind; never part of the package.
const LEFT_BEHIND: [&str; 2] = ["out", "target"];

#[test]
fn the_top_level_is_tidy() {
    assert_eq!(strangers(&root()), [""; 0]);
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root().join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn a_stranger_at_the_top_level_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["src", "out", "target", ".ci", "NOTES.md", "scratch"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    assert_eq!(strangers(folder.path()), ["NOTES.md", "scratch"]);
}

fn strangers(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut strangers: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .filter(|name| !ALLOWED.contains(&name.as_str()) && !LEFT_BEHIND.contains(&name.as_str()))
        .collect();
    strangers.sort();
    strangers
}
