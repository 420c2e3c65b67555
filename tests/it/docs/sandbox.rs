//! A folder of its own for commands, with nothing of the machine's own settings.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::root;

/// A fresh folder, in which a shell finds `imagemill`.
pub(super) struct Sandbox {
    folder: TempDir,
}

/// How a command ended.
pub(super) struct Done {
    /// The code of the process.
    pub(super) code: Option<i32>,
    /// Standard output and standard error as they came.
    pub(super) output: String,
}

impl Sandbox {
    /// An empty one.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("work")).expect("a folder");
        Self { folder }
    }

    /// The current folder of its commands.
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    /// Copies a folder of the package.
    pub(super) fn with_copy_of(self, name: &str) -> Self {
        copy(&root().join(name), &self.path().join(name));
        self
    }

    /// Runs a line of shell.
    pub(super) fn shell(&self, line: &str) -> Done {
        let binary = Path::new(env!("CARGO_BIN_EXE_imagemill"));
        let binaries = binary.parent().expect("a folder").display();
        let home = self.folder.path().join("home");
        // One pipe for both streams, so that their lines keep their order.
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{binaries}:/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("USER", "somebody")
            // What stays on a terminal once the bar is gone.
            .env("IMAGEMILL_PROGRESS", "none")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let text = String::from_utf8(output.stdout).expect("text");
        Done { code: output.status.code(), output: text }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
