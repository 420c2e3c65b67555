//! Every example of every command's help is run, each in a folder of its own.

use clap::CommandFactory;
use imagemill::cli::args::Cli;

use super::sandbox::Sandbox;

/// What stands in an example for the id of a run.
const RUN: &str = "RUN";

/// What stands in an example for the id of an unknown attempt.
const RID: &str = "RID";

/// A price file that examples name.
const PRICES: &str = "schema = 1\nas_of = 2026-11-22\n[openai.\"gpt-image-2\"]\nper_image = 0.05\n";

/// Cost exports that examples name.
const COSTS: [(&str, &str); 3] = [
    ("costs.csv", "request_id,time,model,amount\nreq-1,2026-11-21T10:00:00Z,gpt-image-2,0.00\n"),
    (
        "costs.json",
        r#"{"data":[{"start_time":1795219200,"end_time":1795305600,"results":[
           {"amount":{"value":0.0,"currency":"usd"},"line_item":null}]}],"has_more":false}"#,
    ),
    ("my.csv", "Request,Time,Cost\nreq-1,1795255205,0.00\n"),
];

#[test]
fn every_example_of_every_help_runs() {
    let examples = all_examples(&Cli::command());
    assert!(examples.len() >= 30, "only {} examples were found", examples.len());
    let mut failed = Vec::new();
    for example in &examples {
        let done = run(example);
        if done.code != Some(0) {
            failed.push(format!("$ {example}\n[{:?}] {}", done.code, done.output));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_command_has_an_example_of_itself() {
    each(&Cli::command(), &mut vec!["imagemill".to_owned()], &mut |path, command| {
        let examples = examples_of(command);
        let call = path.join(" ");
        assert!(!examples.is_empty(), "the help of {call} has no example");
        for example in examples {
            assert!(example.starts_with(&call), "{example} is no example of {call}");
        }
    });
}

#[test]
fn examples_end_where_their_explanation_begins() {
    let check = |line: &str, expect: &str| assert_eq!(without_explanation(line), expect);
    check("imagemill run a.csv", "imagemill run a.csv");
    check("imagemill run a.csv   what it does", "imagemill run a.csv");
    check("imagemill run --gate 'a  b'  why  not", "imagemill run --gate 'a  b'");
}

#[test]
fn an_example_that_cannot_run_is_caught() {
    assert_ne!(run("imagemill run rows.csv --no-such-flag").code, Some(0));
    assert_ne!(run("imagemill prices check no-such-file.toml").code, Some(0));
}

fn run(example: &str) -> super::sandbox::Done {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("my-prices.toml"), PRICES).expect("a file");
    for (name, text) in COSTS {
        std::fs::write(sandbox.path().join(name), text).expect("a file");
    }
    prepare(&sandbox, "imagemill seed --out rows.csv");
    prepare(&sandbox, "imagemill init");
    prepare(&sandbox, "imagemill ledger limit set --per-day 10 --why 'a ledger to look at'");
    if example.starts_with("imagemill ledger limit remove") {
        let limits = "--per-image 1 --per-model gpt-image-1=3";
        prepare(&sandbox, &format!("imagemill ledger limit set {limits} --why 'a trial'"));
    }
    let mut line = example.to_owned();
    if example.split(['/', ' ']).any(|word| word == RUN) {
        prepare(&sandbox, "imagemill seed --rows 3 --out few.csv");
        prepare(&sandbox, "imagemill run few.csv --live --provider sim");
        let runs = std::fs::read_dir(sandbox.path().join("out")).expect("a folder");
        let mut names =
            runs.map(|run| run.expect("a run").file_name().to_string_lossy().into_owned());
        let run = names.find(|name| !name.starts_with('.')).expect("a run");
        line = example.replace(RUN, &run);
        let report = format!("out/{run}/report.json");
        std::fs::copy(sandbox.path().join(report), sandbox.path().join("baseline.json"))
            .expect("a live run has its report");
    }
    if line.split(' ').any(|word| word == RID) {
        let unknown = "run few.csv --live --provider sim --sim latency=1ms,errors=100% --fresh";
        prepare(&sandbox, &format!("imagemill {unknown} --gate none --paid-retries 0 --out bad"));
        let list = "imagemill ledger register --outcome unknown --ledger bad/*/ledger";
        let listed = sandbox.shell(list).output;
        let rid = listed.split_whitespace().find(|word| word.len() == 36).expect("an attempt");
        let run = sandbox.shell("ls bad").output;
        line = format!("imagemill ledger resolve {rid} --not-billed --why w")
            + &format!(" --ledger bad/{}/ledger", run.trim());
        assert!(example.starts_with("imagemill ledger resolve RID --not-billed --why "));
    }
    if line.contains("--follow") {
        // Where a person ends it with Ctrl-C.
        line = format!("timeout 1 {line} || [ $? = 124 ]");
    }
    if line.starts_with("imagemill sim") && !line.contains("--for") {
        // Where a person ends it with Ctrl-C.
        line.push_str(" --for 1s");
    }
    if line.starts_with("imagemill sim") && !line.contains("--listen") {
        // The usual port may be somebody else's.
        line.push_str(" --listen 127.0.0.1:0");
    }
    sandbox.shell(&line)
}

fn prepare(sandbox: &Sandbox, line: &str) {
    let done = sandbox.shell(line);
    assert_eq!(done.code, Some(0), "{line}: {}", done.output);
}

fn all_examples(command: &clap::Command) -> Vec<String> {
    let mut all = Vec::new();
    each(command, &mut Vec::new(), &mut |_, command| all.extend(examples_of(command)));
    all
}

/// Visits a command and the commands below it, each with its path.
fn each(
    command: &clap::Command,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&[String], &clap::Command),
) {
    visit(path, command);
    for below in command.get_subcommands() {
        path.push(below.get_name().to_owned());
        each(below, path, visit);
        path.pop();
    }
}

fn examples_of(command: &clap::Command) -> Vec<String> {
    let text = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.lines().skip_while(|line| *line != "Examples:");
    let calls = lines.filter_map(|line| line.strip_prefix("  "));
    calls.filter(|line| line.starts_with("imagemill")).map(without_explanation).collect()
}

/// The call without what is said behind two blanks; blanks within quotes do not count.
fn without_explanation(line: &str) -> String {
    let mut quoted = false;
    let mut blanks = 0;
    for (at, one) in line.char_indices() {
        quoted ^= one == '\'';
        blanks = if one == ' ' && !quoted { blanks + 1 } else { 0 };
        if blanks == 2 {
            return line[..at - 1].to_owned();
        }
    }
    line.to_owned()
}
