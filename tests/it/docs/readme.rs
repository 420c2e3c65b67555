//! Every console block of the README is run, one after the other, in one folder.

use std::net::TcpListener;

use snapbox::IntoData;
use snapbox::assert::Assert;

use super::document;
use super::markdown::{Step, blocks, steps};
use super::sandbox::Sandbox;

/// What the README writes where the command is not installed yet.
const FROM_SOURCE: &str = "cargo run --release -- ";

#[test]
fn the_console_blocks_of_the_readme_print_what_they_say() {
    let sandbox = Sandbox::new().with_copy_of("fixtures");
    // The port that it names may be somebody else's.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let readme = document("README.md").replace("127.0.0.1:8788", &port.to_string());
    let mut n_steps = 0;
    for block in blocks(&readme).iter().filter(|block| block.language == "console") {
        for step in steps(block) {
            if let Err(problem) = play(&sandbox, &step) {
                panic!("README.md:{}: $ {}\n{problem}", step.line, step.command);
            }
            n_steps += 1;
        }
    }
    assert!(n_steps >= 20, "only {n_steps} commands were found");
}

#[test]
fn a_block_that_says_something_else_is_caught() {
    let sandbox = Sandbox::new();
    let check = |command: &str, output: &str, expect: bool| {
        let step = Step { line: 1, command: command.to_owned(), output: output.to_owned() };
        assert_eq!(play(&sandbox, &step).is_ok(), expect, "{command:?} {output:?}");
    };
    check("echo one two", "one two\n", true);
    check("echo one two", "one [..]\n", true);
    check("echo one two", "one three\n", false);
    check("printf 'a\\nb\\nc\\n'", "...\nc\n", true);
    check("printf 'a\\nb\\nc\\n'", "a\nc\n", false);
    check("echo exit=97; exit 97", "exit=97\n", true);
    check("echo exit=97", "exit=97\n", false);
    check("exit 3", "", false);
    check("true", "", true);
}

/// Runs a command; its code must be the one that its RESULT line names, else 0.
fn play(sandbox: &Sandbox, step: &Step) -> Result<(), String> {
    let line = match step.command.strip_prefix(FROM_SOURCE) {
        Some(arguments) => format!("imagemill {arguments}"),
        None => step.command.clone(),
    };
    let done = sandbox.shell(&line);
    let named = step.output.split("exit=").nth(1).and_then(|rest| {
        let digits = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse::<i32>().ok()
    });
    let wanted = named.unwrap_or(0);
    if done.code != Some(wanted) {
        return Err(format!("ended with {:?}, not {wanted}:\n{}", done.code, done.output));
    }
    // Some systems indent the number that `wc` prints.
    let actual =
        if line.ends_with("wc -l") { format!("{}\n", done.output.trim()) } else { done.output };
    Assert::new()
        .action(snapbox::assert::Action::Verify)
        .try_eq(None, actual.into_data(), step.output.clone().into_data())
        .map_err(|difference| difference.to_string())
}
