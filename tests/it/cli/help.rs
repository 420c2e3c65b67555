//! Help, completions and manual pages: there is one of each for every command.

use clap::CommandFactory;
use imagemill::cli::args::Cli;

use crate::support::sandbox::Sandbox;

/// Every command as it is called, the program itself as an empty text.
fn every_command() -> Vec<String> {
    fn below(command: &clap::Command, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        for child in command.get_subcommands() {
            below(child, format!("{path} {}", child.get_name()).trim(), all);
        }
    }
    let mut all = Vec::new();
    below(&Cli::command(), "", &mut all);
    all
}

#[test]
fn every_help_starts_with_examples() {
    let sandbox = Sandbox::new();
    let all = every_command();
    assert!(all.len() >= 17, "{all:?}");
    for command in all {
        for flag in ["--help", "-h"] {
            let ran = sandbox.run(&format!("{command} {flag}")).exits(0);
            let mut lines = ran.stdout.lines();
            assert_eq!(lines.next(), Some("Examples:"), "{command} {flag}");
            let called = format!("  imagemill {command}");
            let example = lines.next().unwrap_or_default();
            assert!(example.starts_with(called.trim_end()), "{command}: {example}");
            assert!(ran.stdout.contains("\nUsage: imagemill"), "{}", ran.stdout);
            assert_eq!(ran.stderr, "");
        }
    }
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = sandbox.run(&format!("completions {shell}")).exits(0);
        for word in ["imagemill", "ledger", "canary", "plan-only", "limit-per-day"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn bash_accepts_its_completions() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("completions bash").exits(0);
    sandbox.write("completions.bash", &ran.stdout);
    let Ok(output) =
        std::process::Command::new("bash").arg("-n").arg(sandbox.path("completions.bash")).output()
    else {
        // A machine without this shell has nothing to check it with.
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_command_gets_a_manual_page() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("man").exits(0);
    assert!(ran.stdout.contains(".TH imagemill 1 "), "{}", ran.stdout);
    sandbox.run("man --dir pages").exits(0);
    for command in every_command() {
        let name = format!("imagemill {command}").trim().replace(' ', "-");
        let page = sandbox.read(format!("pages/{name}.1"));
        assert!(page.contains(&format!(".TH {name} 1 ")), "{name}: {page}");
    }
    let n_pages = std::fs::read_dir(sandbox.path("pages")).expect("pages").count();
    assert_eq!(n_pages, every_command().len());
}

#[test]
fn the_version_is_said_in_one_line() {
    let ran = Sandbox::new().run("--version").exits(0);
    assert_eq!(ran.stdout, concat!("imagemill ", env!("CARGO_PKG_VERSION"), "\n"));
}
