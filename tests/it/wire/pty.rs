//! A command on a terminal that can be typed into.

use std::io::{Read, Write};
use std::process::Child;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::support::sandbox::{IMAGEMILL, Sandbox, words};

/// Whoever was started as a background job of a script ignores Ctrl-C, and so would the commands
/// that it starts. What it handles instead is theirs to decide again.
fn hear_interrupts() {
    const INTERRUPT: u64 = 1 << 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap_or("0").trim(), 16).expect("a mask");
    if ignored & INTERRUPT == 0 {
        return;
    }
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Its handler stays for as long as this process.
    runtime.block_on(async { drop(signal(SignalKind::interrupt()).expect("a handler")) });
}

/// A running command and the other side of its terminal.
pub(crate) struct Terminal {
    pty: pty_process::blocking::Pty,
    child: Child,
    seen: String,
}

impl Terminal {
    /// Starts one; its progress is silent.
    pub(crate) fn start(sandbox: &Sandbox, args: &str) -> Self {
        hear_interrupts();
        let (pty, pts) = pty_process::blocking::open().expect("a terminal");
        pty.resize(pty_process::Size::new(40, 200)).expect("a size");
        let child = pty_process::blocking::Command::new(IMAGEMILL)
            .args(words(&format!("{args} --progress none")))
            .current_dir(sandbox.path("."))
            .env_clear()
            .envs(sandbox.environment())
            .env("TERM", "xterm-256color")
            .env("NO_COLOR", "1")
            .spawn(pts)
            .expect("the command starts");
        Self { pty, child, seen: String::new() }
    }

    /// Reads until a text has come; everything that came so far.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut buffer = [0; 4_096];
        while !self.seen.contains(text) {
            let n = self.pty.read(&mut buffer).unwrap_or(0);
            assert!(n > 0, "the command ended before {text:?}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        self.seen.clone()
    }

    /// Types keys.
    pub(crate) fn type_in(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Reads the rest; the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let mut rest = Vec::new();
        // The terminal ends with an error, not with an end, once nobody holds its other side.
        let _ = self.pty.read_to_end(&mut rest);
        self.child.wait().expect("the command ends").code()
    }
}
