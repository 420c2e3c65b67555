//! Streams, colour, widths and closed pipes.

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;

const ESCAPE: char = '\u{1b}';

#[test]
fn a_closed_pipe_neither_panics_nor_stops_a_live_run() {
    let sandbox = Sandbox::with_fixture();
    let live = "--live --provider sim --sim latency=1ms";
    for format in ["table", "ndjson", "json"] {
        let out = format!("out-{format}");
        let script = format!(
            "{{ \"$0\" run rows-100.csv --canary 10 {live} --format {format} --out {out}; \
             echo $? >code; }} | head -1"
        );
        let ran: Ran = sandbox.script(&script).output().expect("a shell").into();
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(sandbox.read("code").trim(), "0", "{format}: {}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
        let run = sandbox.only_run(&out);
        let journal = std::fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
        assert!(journal.lines().last().is_some_and(|line| line.contains("\"run_finished\"")));
        let stored = journal.lines().filter(|line| line.contains("\"image_stored\"")).count();
        let images = std::fs::read_dir(run.join("images")).expect("images").count();
        assert!(stored > 10 && images == 2 * stored, "{format}: {stored} of {images}");
        sandbox.run(&format!("ledger check --ledger {}", run.join("ledger").display())).exits(0);
    }
}

#[test]
fn a_closed_pipe_is_no_error_of_any_command() {
    let sandbox = Sandbox::with_fixture();
    for args in ["run rows-100.csv", "--help", "prices list", "completions bash", "man"] {
        // `true` reads nothing at all.
        let script = format!("{{ \"$0\" {args}; echo $? >code; }} | true");
        let ran: Ran = sandbox.script(&script).output().expect("a shell").into();
        assert!(!ran.stderr.contains("panicked"), "{args}: {}", ran.stderr);
        assert_eq!(sandbox.read("code").trim(), "0", "{args}");
    }
}

#[test]
fn a_pipe_gets_no_escapes() {
    let sandbox = Sandbox::with_rows(20);
    sandbox.write("bad.csv", "id,prompt,n\na,b,x\n");
    let failing = "run rows.csv --gate 'latency p(95) < 1s'";
    for env in [
        &[("NO_COLOR", "1"), ("TERM", "xterm-256color")][..],
        &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
        &[("TERM", "dumb")],
        &[("TERM", "xterm-256color")],
    ] {
        for args in [failing, "run bad.csv", "run none.csv", "prices list", "run --help", "--nope"]
        {
            let ran = sandbox.run_with(env, args);
            assert!(!ran.everything().contains(ESCAPE), "{env:?} {args}: {:?}", ran.everything());
            assert!(!ran.everything().contains('\r'), "{env:?} {args}");
        }
    }
    let forced = [("CLICOLOR_FORCE", "1")];
    assert!(sandbox.run_with(&forced, failing).exits(99).stdout.contains(ESCAPE));
    assert!(sandbox.run_with(&forced, "run bad.csv").exits(3).stderr.contains(ESCAPE));
    let ran = sandbox.run_with(&forced, &format!("{failing} --color never")).exits(99);
    assert!(!ran.everything().contains(ESCAPE));
    assert!(sandbox.run(&format!("{failing} --color always")).exits(99).stdout.contains(ESCAPE));
}

#[test]
fn machine_formats_are_never_coloured() {
    let sandbox = Sandbox::with_rows(2);
    for args in [
        "run rows.csv --format json",
        "run rows.csv --format ndjson --gate 'latency p(95) < 1s'",
        "run none.csv --format json",
        "run rows.csv --format json --color always",
        "ledger summary --format json",
        "canary status --format json",
        "prices list --format json",
    ] {
        let ran = sandbox.run_with(&[("CLICOLOR_FORCE", "1")], args);
        assert!(!ran.stdout.is_empty() && !ran.stdout.contains(ESCAPE), "{args}: {}", ran.stdout);
        let values = serde_json::Deserializer::from_str(&ran.stdout);
        for value in values.into_iter::<serde_json::Value>() {
            assert!(value.expect(args).is_object(), "{args}");
        }
    }
}

#[test]
fn tables_keep_to_the_width_that_is_told() {
    let sandbox = Sandbox::with_rows(30);
    let args = "run rows.csv --canary 90 --gate 'latency p(95) < 30s'";
    let widest = |env: &[(&str, &str)]| {
        let ran = sandbox.run_with(env, args).exits(0);
        let lines = ran.stdout.lines().filter(|line| !line.starts_with("RESULT"));
        lines.map(|line| line.chars().count()).max().expect("lines")
    };
    assert!(widest(&[]) <= 100);
    assert!(widest(&[("COLUMNS", "60")]) <= 60);
    assert!((60..=100).contains(&widest(&[("COLUMNS", "0")])), "0 is not believed");
    assert!((60..=100).contains(&widest(&[("COLUMNS", "x")])));
}

/// Runs the command on a terminal of this width and gives what the terminal got.
#[cfg(unix)]
fn on_a_terminal(sandbox: &Sandbox, width: u16, env: &[(&str, &str)], args: &str) -> String {
    use std::io::Read;
    let (mut pty, pts) = pty_process::blocking::open().expect("a terminal");
    pty.resize(pty_process::Size::new(40, width)).expect("a size");
    let mut child = pty_process::blocking::Command::new(crate::support::sandbox::IMAGEMILL)
        .args(crate::support::sandbox::words(args))
        .current_dir(sandbox.path("."))
        .env_clear()
        .envs(sandbox.environment())
        .envs(env.iter().copied())
        .spawn(pts)
        .expect("the command starts");
    let mut bytes = Vec::new();
    // The terminal ends with an error, not with an end, once nobody holds its other side.
    let _ = pty.read_to_end(&mut bytes);
    child.wait().expect("the command ends");
    String::from_utf8(bytes).expect("UTF-8")
}

#[cfg(unix)]
#[test]
fn a_terminal_of_width_zero_gets_a_readable_table() {
    let sandbox = Sandbox::with_rows(3);
    let env = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
    let text = on_a_terminal(&sandbox, 0, &env, "run rows.csv --progress none");
    let text = text.replace("\r\n", "\n");
    assert!(!text.contains(ESCAPE), "{text:?}");
    assert!(text.contains("│ errors rate ┆ 0.0% (0/3) ┆ < 5%  ┆ 3 ┆ PASS    ┆"), "{text}");
    let short = text.lines().filter(|line| line.chars().count() == 1);
    assert_eq!(short.count(), 0, "{text}");
    assert!(text.lines().last().is_some_and(|line| line.starts_with("RESULT pass exit=0 ")));
}

#[cfg(unix)]
#[test]
fn a_terminal_gets_colour_and_a_bar_unless_it_is_dumb() {
    let sandbox = Sandbox::with_rows(4);
    let live = "run rows.csv --live --provider sim --fresh --sim latency=300ms";
    let rich = on_a_terminal(&sandbox, 100, &[("TERM", "xterm-256color")], live);
    assert!(rich.contains("\u{1b}[") && rich.contains(" images "), "{rich:?}");
    for env in [[("TERM", "dumb")], [("TERM", "")]] {
        let text = on_a_terminal(&sandbox, 100, &[env[0], ("NO_COLOR", "1")], live);
        if env[0].1 == "dumb" {
            assert!(!text.contains(ESCAPE), "{text:?}");
            assert!(text.contains("4/4 images (100 %)"), "{text}");
        }
        assert!(text.contains("RESULT pass exit=0 "), "{text}");
    }
    let ci = [("TERM", "xterm-256color"), ("CI", "true"), ("NO_COLOR", "1")];
    let text = on_a_terminal(&sandbox, 100, &ci, live);
    assert!(!text.contains(ESCAPE) && text.contains("4/4 images (100 %)"), "{text:?}");
}
