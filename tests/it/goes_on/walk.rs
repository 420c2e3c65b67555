//! The crash walk: a run is killed at every step that its journal takes, goes on until nothing is
//! left, and the server that keeps its own bill has billed every image once.
//!
//! `CRASH_WALK_EVERY` says how many steps lie between two kills, and `CRASH_WALK_PROGRAM` which
//! build is killed. It prints its figures at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::sandbox::{IMAGEMILL, Sandbox};
use crate::support::sim_server::SimServer;
use crate::wire::crashes::{amount, wait};

/// Steps between two kills where nobody asks for another number: a prime, so that every kind of
/// step gets its turn.
const EVERY: usize = 17;
/// Rows, of which every third asks for two images.
const ROWS: usize = 20;
/// The images that they ask for.
const IMAGES: usize = 26;
/// The most journal lines that such a run has, with room.
const STEPS: usize = 170;

/// One walk: a run, its server, and what has been seen.
pub(crate) struct Walk {
    pub(crate) sandbox: Sandbox,
    server: SimServer,
}

/// What was seen on the way.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    n_walks: usize,
    n_kills: usize,
    n_unknown: usize,
    n_bought_again: usize,
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn a_run_that_is_killed_at_any_step_goes_on_and_pays_nothing_twice() {
    let mut figures = Figures::default();
    for step in (1..=STEPS).step_by(every()) {
        Walk::new().goes(&[step], &mut figures);
    }
    println!("crash walk, one kill: {figures:?}; 0 violations");
    assert!(figures.n_kills * 2 > figures.n_walks, "{figures:?}: it was killed in time");
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn two_crashes_in_a_row_are_survived_as_well() {
    let mut figures = Figures::default();
    for step in (2..=STEPS / 2).step_by(2 * every()) {
        Walk::new().goes(&[step, step + 1 + step % 23], &mut figures);
    }
    println!("crash walk, two kills: {figures:?}; 0 violations");
}

#[expect(clippy::disallowed_methods, reason = "whoever starts it says how much")]
fn every() -> usize {
    let wanted = std::env::var("CRASH_WALK_EVERY").ok();
    wanted.map_or(EVERY, |n| n.parse().expect("CRASH_WALK_EVERY is a number"))
}

impl Walk {
    #[expect(clippy::disallowed_methods, reason = "whoever starts it says which build")]
    pub(crate) fn new() -> Self {
        let program = std::env::var_os("CRASH_WALK_PROGRAM").unwrap_or(IMAGEMILL.into());
        let sandbox = Sandbox::new().with_program(program);
        let row = |n| format!("ROW-{n:02},a thing {n},{}\n", if n % 3 == 0 { 2 } else { 1 });
        let rows: String = (1..=ROWS).map(row).collect();
        sandbox.write("rows.csv", format!("scene_id,prompt,variants\n{rows}"));
        let server = SimServer::start("--sim latency=8ms±60%,seed=5 --image-bytes 600");
        sandbox.run("ledger limit set --per-day 5 --why 'a walk'").exits(0);
        Self { sandbox, server }
    }

    pub(crate) fn ask(&self, more: &str) -> String {
        format!(
            "run rows.csv --live --provider openai --model gpt-image-2 --quality low --gate none \
             --base-url {} --confirm-cost 5 --concurrency 4 --progress none {more}",
            self.server.base_url()
        )
    }

    /// Kills the run whenever its journal has so many lines, then lets it go on to its end.
    fn goes(self, kills: &[usize], figures: &mut Figures) {
        figures.n_walks += 1;
        for (n, step) in kills.iter().enumerate() {
            figures.n_kills += usize::from(self.is_killed_at(*step));
            let text = format!("kill {n} of {kills:?}");
            let checked = self.sandbox.run("ledger check");
            assert_eq!(checked.code, Some(0), "{text}: {}", checked.everything());
        }
        self.ends(&format!("{kills:?}"), figures);
    }

    /// Goes on until nothing is left, buys nothing then, and what is unknown once that is asked.
    pub(crate) fn ends(self, text: &str, figures: &mut Figures) {
        let ran = self.sandbox.run(&self.ask("--format json")).exits(0);
        let report = ran.report();
        let n_unknown = self.check(&report, 1, text);
        // A second call has nothing left to buy, and says the same.
        let before = self.n_requests();
        let again = self.sandbox.run(&self.ask("--format json")).exits(0).report();
        assert_eq!(self.n_requests(), before, "{text}: nothing is left, and something was sent");
        for key in ["rows", "images", "verdict", "attempts"] {
            assert_eq!(again[key], report[key], "{text}: {key}");
        }
        // What is unknown is bought again when that is asked for, and completes the batch.
        let all = "--only unknown --paid-retry-on all --paid-retries 100% --paid-attempts 4";
        let whole = self.sandbox.run(&self.ask(&format!("{all} --format json"))).exits(0).report();
        assert_eq!(whole["images"]["stored"], IMAGES, "{text}: {whole}");
        assert_eq!(whole["rows"]["ok"], ROWS, "{text}: {whole}");
        assert_eq!(self.n_requests() - before, n_unknown as u64, "{text}: once each");
        self.check(&whole, 2, text);
        figures.n_unknown += n_unknown;
        figures.n_bought_again += n_unknown;
    }

    /// Starts the run and kills it once its journal has so many lines; whether it was in time.
    fn is_killed_at(&self, step: usize) -> bool {
        let mut command = self.sandbox.command(&self.ask(""));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the command starts");
        loop {
            if child.try_wait().expect("it is ours").is_some() {
                return false;
            }
            if self.journal().len() >= step {
                break;
            }
            wait(Duration::from_millis(1));
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        true
    }

    /// The server has billed no image more than `most` times; its bill, the images, the journal and
    /// the ledger agree. Returns how many images are unknown.
    fn check(&self, report: &Value, most: usize, text: &str) -> usize {
        let mut of_rid = BTreeMap::new();
        let mut stored = BTreeMap::new();
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.journal() {
            let event = &line["event"];
            let rid = || event["rid"].as_str().expect("an attempt").to_owned();
            let image = || (event["scene_id"].to_string(), event["variant"].as_u64());
            match event["type"].as_str().expect("a type") {
                "attempt_started" => {
                    assert!(of_rid.insert(rid(), image()).is_none(), "{text}: {event} twice");
                }
                "attempt_ended" => *ends.entry(rid()).or_default() += 1,
                "image_stored" => {
                    let file = event["file"].as_str().expect("a file").to_owned();
                    let is_new = stored.insert(image(), file).is_none();
                    assert!(is_new, "{text}: {event} is stored twice");
                }
                _ => {}
            }
        }
        let ended: BTreeSet<&String> = ends.keys().collect();
        assert_eq!(ended, of_rid.keys().collect(), "{text}: every attempt has one end");
        assert!(ends.values().all(|n| *n == 1), "{text}: {ends:?}");
        let images: BTreeSet<_> = of_rid.values().cloned().collect();
        let n_stored = report["images"]["stored"].as_u64().expect("a number");
        assert_eq!(stored.len() as u64, n_stored, "{text}");
        let on_disk = self.images();
        assert_eq!(stored.values().cloned().collect::<BTreeSet<_>>(), on_disk, "{text}");
        let n_unknown = IMAGES - stored.len();
        assert_eq!(images.len(), IMAGES, "{text}: every image was tried");
        // Every image was billed at most once, but for those that were bought again on purpose.
        let billed = self.server.bill().client_request_ids();
        assert!(billed.iter().all(|rid| of_rid.contains_key(rid)), "{text}: sent, not journaled");
        let mut n_billed: BTreeMap<_, usize> = BTreeMap::new();
        for rid in &billed {
            *n_billed.entry(&of_rid[rid]).or_default() += 1;
        }
        assert!(n_billed.values().all(|n| *n <= most), "{text}: {n_billed:?}");
        let summary = self.sandbox.run("ledger summary --format json").exits(0).json();
        let settled = amount(&summary, "settled");
        assert_eq!(settled, amount(&report["cost"], "settled"), "{text}");
        assert_eq!(amount(&summary, "unknown"), amount(&report["cost"], "unknown"), "{text}");
        assert_eq!(summary["reserved"], "0.00", "{text}: {summary}");
        assert!(self.server.bill().amount("total") <= amount(&summary, "exposure_today"), "{text}");
        assert_eq!(self.server.stats()["repeated_request_ids"], 0, "{text}");
        n_unknown
    }

    fn n_requests(&self) -> u64 {
        self.server.bill().client_request_ids().len() as u64
    }

    /// The lines of the only run's journal that are whole.
    fn journal(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.sandbox.path("out")) else { return Vec::new() };
        let runs: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.join("journal.jsonl").is_file())
            .collect();
        assert!(runs.len() <= 1, "a run that goes on stays one run: {runs:?}");
        let Some(run) = runs.first() else { return Vec::new() };
        let text = fs::read(run.join("journal.jsonl")).expect("a journal");
        let whole = text.split_inclusive(|byte| *byte == b'\n');
        whole
            .filter(|line| line.ends_with(b"\n"))
            .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
            .collect()
    }

    /// The image files, relative to the run's folder.
    fn images(&self) -> BTreeSet<String> {
        let run = self.sandbox.only_run("out");
        let entries = fs::read_dir(run.join("images")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").path());
        let images = names.filter(|path| path.extension().is_some_and(|it| it == "png"));
        let relative = |path: &Path| path.strip_prefix(&run).expect("below").display().to_string();
        images.map(|path| relative(&path)).collect()
    }
}
