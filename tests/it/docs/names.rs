//! Names in the documents exist: flags, files, headings, formats, places in the code.

use std::collections::BTreeSet;

use clap::CommandFactory;
use imagemill::cli::args::Cli;

use super::markdown::{anchors, blocks, local_links};
use super::{document, root};

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

#[test]
fn every_flag_in_a_document_exists() {
    let real = flags(&Cli::command());
    for name in DOCUMENTS {
        let missing: Vec<String> =
            named_flags(&document(name)).into_iter().filter(|flag| !real.contains(flag)).collect();
        assert_eq!(missing, [""; 0], "{name} names flags that do not exist");
    }
    let found = named_flags("`--live`, --no-such-flag x\n$ cargo run --release -- run --fresh\n");
    assert_eq!(found, ["--live", "--no-such-flag", "--fresh"].map(str::to_owned).into());
}

#[test]
fn every_relative_link_leads_somewhere() {
    for name in DOCUMENTS {
        let text = document(name);
        for link in local_links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { name } else { file };
            assert!(root().join(target).exists(), "{name}: {link} leads nowhere");
            let known = || anchors(&document(target)).iter().any(|anchor| anchor == heading);
            assert!(heading.is_empty() || known(), "{name}: {link} has no such heading");
        }
    }
    assert!(local_links(&document("README.md")).len() >= 10);
}

#[test]
fn every_place_of_the_code_map_exists() {
    let text = document("ARCHITECTURE.md");
    let map: Vec<&str> = text
        .split("## Code map")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a code map")
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.starts_with("src/") || word.starts_with("tests/"))
        .collect();
    assert!(map.len() >= 30, "only {} places", map.len());
    for place in map {
        assert!(root().join(place).exists(), "the code map names {place}, which does not exist");
    }
}

#[test]
fn every_module_of_a_floor_is_on_the_map() {
    let text = document("ARCHITECTURE.md");
    for entry in std::fs::read_dir(root().join("src")).expect("the source") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let place = format!("src/{name}");
        assert!(text.contains(&place), "{place} is not on the code map");
    }
}

#[test]
fn every_format_has_its_version_in_the_changelog() {
    use imagemill::domain::{event, ledger, plan, report, sidecar};
    let text = document("CHANGELOG.md");
    for schema in [event::JOURNAL_SCHEMA, plan::SCHEMA, report::SCHEMA, sidecar::SCHEMA] {
        assert!(text.contains(&format!("`{schema}`")), "{schema} is not in the changelog");
    }
    let version = format!("ledger v{}", ledger::record::FORMAT_VERSION);
    assert!(text.contains(&version), "{version} is not in the changelog");
    assert!(text.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_command_is_run_by_the_readme() {
    let readme = document("README.md");
    let console: String = blocks(&readme)
        .into_iter()
        .filter(|block| block.language == "console" || block.language == "sh")
        .map(|block| block.text)
        .collect();
    for command in Cli::command().get_subcommands() {
        let call = format!("imagemill {}", command.get_name());
        let is_called = [' ', '\n'].iter().any(|end| console.contains(&format!("{call}{end}")));
        assert!(is_called, "no block runs {call:?}");
    }
}

/// Every long flag of a command and of the commands below it.
fn flags(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long());
    let mut all: BTreeSet<String> =
        own.chain(["help", "version"]).map(|name| format!("--{name}")).collect();
    for below in command.get_subcommands() {
        all.extend(flags(below));
    }
    all
}

/// Every flag that a text names, but for those of cargo itself.
fn named_flags(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let ours = match line.split_once("cargo ") {
            Some((before, call)) => {
                // Behind cargo's own flags, those behind ` -- ` are ours again.
                found.extend(flags_of(before));
                call.split_once(" -- ").map_or("", |(_, ours)| ours)
            }
            None => line,
        };
        found.extend(flags_of(ours));
    }
    found
}

fn flags_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices("--").filter_map(|(at, _)| {
        let starts = !text[..at].ends_with(|one: char| one.is_alphanumeric() || one == '-');
        let rest = &text[at + 2..];
        let is_of_name = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        let end = rest.find(|one: char| !is_of_name(one));
        let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('-');
        (starts && !name.is_empty()).then(|| format!("--{name}"))
    })
}
