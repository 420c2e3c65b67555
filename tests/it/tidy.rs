//! The shape of the source: floors, lengths, and words that must not appear.

mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tidy::source::{code_of, functions_of, paths_from};

/// Each part of the crate and the parts that it may name. An arrow may only point down, and the
/// siblings of a floor never import each other.
const FLOORS: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("ports", &["domain", "ports"]),
    ("pipeline", &["domain", "ports", "pipeline"]),
    ("adapters", &["domain", "ports", "adapters"]),
    ("report", &["domain", "ports", "report"]),
    ("server", &["domain", "ports", "server"]),
    ("cli", &["domain", "cli"]),
    ("exit", &["exit"]),
    (
        "commands",
        &["domain", "ports", "pipeline", "adapters", "report", "server", "cli", "exit", "commands"],
    ),
    ("app", &["domain", "report", "cli", "exit", "commands", "app"]),
    ("main", &["app", "cli"]),
    ("lib", &[]),
];

/// What the ground floor must not know of: it neither waits nor touches the world.
const NOT_IN_DOMAIN: &[&str] =
    &["tokio::", "async fn", ".await", "std::fs", "std::net", "std::env", "std::thread", "fs::"];

/// Time and chance; only `adapters/system.rs` asks the machine for them.
const TIME_AND_CHANCE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "Uuid::now_v7",
    "Uuid::new_v4",
    "thread::sleep",
    "time::sleep",
    "rand::",
    "getrandom",
    "RandomState",
];

/// The one file that asks the machine for time and chance.
const SYSTEM: &str = "src/adapters/system.rs";

/// What is unfinished or silenced.
const NEVER: &[&str] = &["todo!", "unimplemented!", "#[ignore", "#[allow(", "#![allow("];

const MAX_FILE: usize = 500;
const MAX_FUNCTION: usize = 70;
const MAX_LINE: usize = 100;
const MAX_COMMAND: usize = 150;
const MAX_APP: usize = 100;
const MAX_MAIN: usize = 19;

/// What is longer than the rules allow, with its length now. It may only become shorter, and
/// leaves this list when it has become short enough.
const EXCEPTIONS: &[(&str, usize)] = &[];

/// A source file.
struct File {
    /// Its path from the package's folder on, with `/`.
    path: String,
    text: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `src` and `tests`, in order.
fn files() -> Vec<File> {
    let mut folders: Vec<PathBuf> = ["src", "tests"].map(|name| root().join(name)).into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // Fuzz targets are a package of their own, with its own build folder.
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a text file");
                let below = path.strip_prefix(root()).expect("below the root");
                let path = below.to_string_lossy().replace('\\', "/");
                let code = code_of(&text);
                files.push(File { path, text, code });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "the source was not found");
    files
}

/// The part of the crate to which a file of `src` belongs.
fn part_of(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    let first = below.split('/').next().unwrap_or(below);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The edges of a file that point where they must not, one sentence each.
fn wrong_edges(path: &str, code: &str) -> Vec<String> {
    let part = part_of(path);
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == part) else {
        return vec![format!("{path}: {part:?} stands on no floor")];
    };
    let mut wrong = Vec::new();
    for root in ["crate", "imagemill"] {
        for named in paths_from(code, root) {
            let Some(to) = named.words.get(1) else { continue };
            // Macros and items of the crate's root are not modules.
            let is_part = FLOORS.iter().any(|(name, _)| name == to);
            if is_part && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{path}:{}: {part} must not see {to}", named.line));
            }
        }
    }
    // A chain of `super` that is as long as the module is deep leads to the root and hides an edge.
    let depth = path.matches('/').count() + usize::from(!path.ends_with("mod.rs")) - 1;
    for named in paths_from(code, "super") {
        let n_up = named.words.iter().take_while(|word| *word == "super").count();
        let is_root = n_up >= depth.max(1) && n_up > 1;
        if is_root {
            wrong.push(format!("{path}:{}: name the path from the crate on", named.line));
        }
    }
    wrong
}

#[test]
fn arrows_point_down_only() {
    let files = files();
    let wrong: Vec<String> = files
        .iter()
        .filter(|file| file.path.starts_with("src/"))
        .flat_map(|file| wrong_edges(&file.path, &file.code))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_edge_is_caught() {
    let check = |path: &str, text: &str, n_wrong: usize| {
        let wrong = wrong_edges(path, &code_of(text));
        assert_eq!(wrong.len(), n_wrong, "{path} {text:?}: {wrong:?}");
    };
    check("src/domain/money.rs", "use crate::domain::ids::RunId;", 0);
    check("src/domain/money.rs", "use crate::ports::clock::Clock;", 1);
    check("src/domain/money.rs", "fn f() { crate::adapters::system::now(); }", 1);
    check("src/domain/money.rs", "use crate::{\n    domain::ids,\n    cli::args,\n};", 1);
    check("src/domain/money.rs", "// crate::ports\nconst A: &str = \"crate::ports::x\";", 0);
    check("src/domain/money.rs", "mod tests { use super::super::ports::clock; }", 1);
    check("src/domain/a/b.rs", "use super::super::money;", 0);
    check("src/ports/clock.rs", "use crate::pipeline::stop::Stop;", 1);
    check("src/pipeline/row.rs", "use crate::adapters::system; use crate::report::printer;", 2);
    check("src/pipeline/row.rs", "use crate::{ports::{clock, rows}, exit::Exit};", 1);
    check("src/adapters/system.rs", "use crate::pipeline::context;", 1);
    check("src/report/printer.rs", "pub(in crate::report) fn f(x: &crate::exit::Exit) {}", 1);
    check("src/cli/resolve.rs", "use crate::ports::clock::Clock;", 1);
    check("src/commands/run.rs", "use crate::app::main;", 1);
    check("src/commands/run.rs", "use crate::exit::Exit; use crate::pipeline::run;", 0);
    check("src/exit.rs", "use crate::domain::gate::Verdict;", 1);
    check("src/main.rs", "use imagemill::pipeline::run;", 1);
    check("src/loose.rs", "", 1);
}

#[test]
fn the_ground_floor_neither_waits_nor_touches_the_world() {
    let files = files();
    let domain = files.iter().filter(|file| file.path.starts_with("src/domain/"));
    let is_test = |file: &&File| file.path.contains("/tests");
    let found = domain.filter(|file| !is_test(file)).flat_map(|file| find(file, NOT_IN_DOMAIN));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Where a file has one of the words, in its code.
fn find(file: &File, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in file.code.lines().enumerate() {
        for word in words {
            let is_word = code.match_indices(word).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let is_open = word.starts_with(|first: char| first.is_alphanumeric());
                !is_open || before.is_none_or(|it| !it.is_alphanumeric() && it != '_')
            });
            if is_word {
                found.push(format!("{}:{}: {word}", file.path, line + 1));
            }
        }
    }
    found
}

#[test]
fn time_and_chance_come_from_one_file() {
    let files = files();
    let others = files.iter().filter(|file| file.path.starts_with("src/") && file.path != SYSTEM);
    let found: Vec<String> = others.flat_map(|file| find(file, TIME_AND_CHANCE)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let system = files.iter().find(|file| file.path == SYSTEM).expect("the system file");
    assert!(!find(system, TIME_AND_CHANCE).is_empty(), "the search finds nothing at all");
}

#[test]
fn nothing_is_unfinished_or_silenced() {
    let found: Vec<String> = files().iter().flat_map(|file| find(file, NEVER)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let code = "#[ignore]\nfn f() { todo!() }\n#![allow(dead_code)]".to_owned();
    let bad = File { path: "bad.rs".to_owned(), text: String::new(), code };
    assert_eq!(find(&bad, NEVER).len(), 3);
}

/// The most lines that a file may have.
fn most_lines(path: &str) -> usize {
    match path {
        "src/main.rs" => MAX_MAIN,
        "src/app.rs" => MAX_APP,
        _ if path.starts_with("src/commands/") => MAX_COMMAND,
        _ => MAX_FILE,
    }
}

/// What is too long in a file: what it is and its length.
fn too_long(path: &str, text: &str, code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let n_lines = text.lines().count();
    if n_lines > most_lines(path) {
        found.push((path.to_owned(), n_lines));
    }
    for function in functions_of(code) {
        if function.n_lines > MAX_FUNCTION {
            found.push((format!("{path} fn {}", function.name), function.n_lines));
        }
    }
    for (line, text) in text.lines().enumerate() {
        let width = text.chars().count();
        if width > MAX_LINE {
            found.push((format!("{path}:{}", line + 1), width));
        }
    }
    found
}

/// What is wrong with the lengths found, given the exceptions that are granted.
fn judge(found: &[(String, usize)], granted: &[(&str, usize)]) -> Vec<String> {
    let mut granted: BTreeMap<&str, usize> = granted.iter().copied().collect();
    let mut wrong = Vec::new();
    for (what, length) in found {
        match granted.remove(what.as_str()) {
            Some(number) if number == *length => {}
            Some(number) if *length < number => {
                wrong.push(format!("{what} has become shorter: its exception is {length} now"));
            }
            Some(number) => wrong.push(format!("{what} has grown from {number} to {length}")),
            None => wrong.push(format!("{what} is too long: {length}")),
        }
    }
    wrong.extend(granted.keys().map(|what| format!("{what} needs no exception any more")));
    wrong
}

#[test]
fn files_functions_and_lines_are_short() {
    let files = files();
    let found: Vec<(String, usize)> =
        files.iter().flat_map(|file| too_long(&file.path, &file.text, &file.code)).collect();
    let wrong = judge(&found, EXCEPTIONS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_too_long_is_caught_and_exceptions_only_shrink() {
    let text = format!("fn f() {{\n{}}}\n{}", "    x();\n".repeat(69), "y".repeat(101));
    let found = too_long("src/commands/a.rs", &text, &text);
    assert_eq!(
        found,
        [("src/commands/a.rs fn f".to_owned(), 71), ("src/commands/a.rs:72".to_owned(), 101)]
    );
    assert_eq!(too_long("src/main.rs", &"\n".repeat(20), "").len(), 1);
    assert_eq!(too_long("src/commands/run/a.rs", &"\n".repeat(151), "").len(), 1);
    assert_eq!(too_long("src/domain/a.rs", &"\n".repeat(500), "").len(), 0);
    let check = |granted: &[(&str, usize)], n_wrong: usize| {
        let wrong = judge(&[("a".to_owned(), 600)], granted);
        assert_eq!(wrong.len(), n_wrong, "{granted:?}: {wrong:?}");
    };
    check(&[], 1);
    check(&[("a", 600)], 0);
    check(&[("a", 599)], 1);
    check(&[("a", 700)], 1);
    check(&[("a", 600), ("b", 501)], 1);
}
