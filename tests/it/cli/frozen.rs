//! A process that was stopped while it held the ledger's lock: others wait, and say for whom.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::sandbox::Sandbox;

/// A run that is ended with the test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.0.wait();
    }
}

impl Run {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &*pid]).status();
        assert!(status.expect("kill is there").success(), "{name}");
    }
}

/// Stops the run at a moment at which it holds the lock of a ledger that has been made; not when
/// it ends before.
fn freeze(run: &mut Run, ledger: &Path) -> bool {
    for _ in 0..2000 {
        std::thread::sleep(Duration::from_millis(3));
        if run.0.try_wait().expect("the child is ours").is_some() {
            return false;
        }
        if !ledger.join("tail").exists() {
            continue;
        }
        let file = File::open(ledger.join("ledger.lock")).expect("a ledger has one");
        run.signal("STOP");
        // It stops a moment later, and may give the lock back until then.
        std::thread::sleep(Duration::from_millis(30));
        if file.try_lock().is_err() {
            return true;
        }
        drop(file);
        run.signal("CONT");
    }
    false
}

#[test]
fn who_waits_for_a_stopped_process_says_so_and_goes_on_when_it_does_row_47() {
    let sandbox = Sandbox::with_rows(3000);
    let args = "run rows.csv --live --provider sim --sim latency=1ms --concurrency 64 --ledger l \
                --gate none --progress none --limit-per-day 1000";
    let run = sandbox.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut run = Run(run.expect("the command starts"));
    assert!(freeze(&mut run, &sandbox.path("l")), "it never held the lock");
    let mut waiting = sandbox
        .command("ledger limit set --per-day 2000 --why more --ledger l")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    std::thread::sleep(Duration::from_millis(6500));
    assert!(waiting.try_wait().expect("the child is ours").is_none(), "the lock is not broken");
    run.signal("CONT");
    let ended = waiting.wait_with_output().expect("it goes on");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    let holder = format!("process {} has held the ledger's lock for ", run.0.id());
    assert!(said.contains(&holder), "{said}");
    assert_eq!(said.matches("has held").count(), 1, "{said}");
}
