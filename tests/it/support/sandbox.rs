//! A temporary folder in which the command runs as for a user who never ran it before.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::ran::Ran;
use crate::support::secret::secret_in;

/// The command under test.
pub(crate) const IMAGEMILL: &str = env!("CARGO_BIN_EXE_imagemill");

/// The folders whose records are the command's own, never a test's.
const OURS: [&str; 4] = ["images", "ledger", "state", "cache"];

/// A temporary folder with a home of its own and an environment that has nothing else.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Sandbox {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("imagemill-it-").tempdir().expect("a folder");
        for name in ["work", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder, program: IMAGEMILL.into() }
    }

    /// The same folder with another build of the command.
    pub(crate) fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// A folder with `rows-100.csv` and its references.
    pub(crate) fn with_fixture() -> Self {
        let sandbox = Self::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let copy = |name: &str| {
            fs::copy(fixtures.join(name), sandbox.path(name)).expect(name);
        };
        copy("rows-100.csv");
        fs::create_dir(sandbox.path("refs")).expect("a folder");
        for entry in fs::read_dir(fixtures.join("refs")).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            copy(&format!("refs/{}", name.to_string_lossy()));
        }
        sandbox
    }

    /// A folder with `rows.csv`: `n_rows` rows of one image each, without references.
    pub(crate) fn with_rows(n_rows: u32) -> Self {
        let sandbox = Self::new();
        let rows: String = (1..=n_rows).map(|n| format!("ROW-{n:03},a thing {n}\n")).collect();
        sandbox.write("rows.csv", format!("scene_id,prompt\n{rows}"));
        sandbox
    }

    /// A path in the folder in which the command runs.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Writes a file there.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect(name);
    }

    /// Reads a file there.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The user's own ledger.
    pub(crate) fn real_ledger(&self) -> PathBuf {
        self.folder.path().join("home/state/imagemill/ledger")
    }

    /// Every file below the sandbox with its bytes, the home and temporary files included.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        walk(self.folder.path(), &mut |path| {
            if path.is_file() {
                found.insert(path.to_owned(), fs::read(path).expect("a file"));
            }
        });
        found
    }

    /// The folder of the only run below `out`.
    pub(crate) fn only_run(&self, out: &str) -> PathBuf {
        let entries = fs::read_dir(self.path(out)).expect("the folder of runs");
        let mut runs: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).filter(|it| it.is_dir()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    /// The command with these arguments; words are parted by blanks, `'…'` keeps some together.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words(args));
        self.prepare(&mut command);
        command
    }

    /// A shell script in which `$0` is the command.
    pub(crate) fn script(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&self.program);
        self.prepare(&mut command);
        command
    }

    /// Runs the command.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.command(args).output().expect("the command starts").into()
    }

    /// Runs the command with further variables in its environment.
    pub(crate) fn run_with(&self, env: &[(&str, &str)], args: &str) -> Ran {
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        command.output().expect("the command starts").into()
    }

    /// Runs the command with bytes on its standard input.
    pub(crate) fn run_fed(&self, args: &str, input: &[u8]) -> Ran {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input).expect("the command reads");
        drop(stdin);
        child.wait_with_output().expect("the command ends").into()
    }

    /// The environment of the sandbox, for commands that are built elsewhere.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let home = self.folder.path().join("home");
        vec![
            ("XDG_STATE_HOME", home.join("state")),
            ("XDG_CONFIG_HOME", home.join("config")),
            ("XDG_CACHE_HOME", home.join("cache")),
            ("XDG_DATA_HOME", home.join("data")),
            ("HOME", home),
            ("TMPDIR", self.folder.path().join("tmp")),
            ("USER", PathBuf::from("tester")),
            ("PATH", PathBuf::from("/usr/local/bin:/usr/bin:/bin")),
        ]
    }

    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.path(".")).env_clear().envs(self.environment());
        command.stdin(Stdio::null());
    }
}

/// Whatever a test is about: what runs leave behind has no key, and addresses have their signatures
/// only in the plan and in the tables that echo the input.
impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        walk(self.folder.path(), &mut |path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_record = name.ends_with(".jsonl") || name.ends_with(".json");
            let is_ours = name == "journal.jsonl"
                || name == "report.json"
                || path.iter().any(|it| OURS.iter().any(|ours| it == *ours));
            if is_record && is_ours && name != "plan.json" && path.is_file() {
                let bytes = fs::read(path).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                let shown = secret_in(&text).map(|it| it.chars().take(80).collect::<String>());
                assert_eq!(shown, None, "in {}", path.display());
            }
        });
    }
}

/// Everything below a folder.
pub(crate) fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        visit(&path);
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}

/// Words parted by blanks; single quotes keep blanks.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for one in text.chars() {
        match one {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(one),
        }
    }
    assert!(!quoted, "an open quote: {text}");
    words.extend(word);
    words
}
