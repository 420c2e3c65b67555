//! A live run against a server on this machine, and what both sides' books say in the end.

use std::fs;
use std::path::{Path, PathBuf};

use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;
use crate::support::sim_server::{Bill, SimServer};

/// What every run of these tests has: the real wire, simulated money, no gates.
const ASK: &str = "--live --rehearsal --provider openai --model gpt-image-2 --quality low \
                   --gate none --format json";

/// A run that has ended, with the books of both sides.
pub(crate) struct Rehearsed {
    /// Where it ran; its files live as long as this.
    _sandbox: Sandbox,
    pub(crate) ran: Ran,
    pub(crate) report: Value,
    pub(crate) folder: PathBuf,
    pub(crate) summary: Value,
    pub(crate) bill: Bill,
    pub(crate) stats: Value,
}

/// Runs `rows.csv` of the sandbox against the server, and checks what must hold of every run:
/// bill <= exposure <= limit; what is settled is the bill of the stored images; one request for
/// each attempt.
pub(crate) fn rehearse(sandbox: Sandbox, server: &SimServer, args: &str) -> Rehearsed {
    let rehearsed = rehearse_unchecked(sandbox, server, args);
    rehearsed.check_books();
    rehearsed
}

/// The same where the server's price is not the client's.
pub(crate) fn rehearse_unchecked(sandbox: Sandbox, server: &SimServer, args: &str) -> Rehearsed {
    let ran = sandbox.run(&format!("run rows.csv {ASK} --base-url {} {args}", server.base_url()));
    let report = ran.report();
    let folder = sandbox.path(report["folder"].as_str().unwrap_or_else(|| {
        panic!("the run did not begin: {}", ran.everything());
    }));
    let ledger = folder.join("ledger").display().to_string();
    let checked = sandbox.run(&format!("ledger check --ledger {ledger}")).exits(0);
    assert_eq!(checked.everything(), "", "a sound ledger is silent");
    let summary =
        sandbox.run(&format!("ledger summary --format json --ledger {ledger}")).exits(0).json();
    let (bill, stats) = (server.bill(), server.stats());
    Rehearsed { _sandbox: sandbox, ran, report, folder, summary, bill, stats }
}

impl Rehearsed {
    /// An amount of the ledger's day.
    pub(crate) fn day(&self, key: &str) -> NanoUsd {
        self.summary[key].as_str().expect(key).parse().expect("an amount")
    }

    /// The names of the attempts that paid for stored images, and what their sidecars say they
    /// cost.
    pub(crate) fn stored(&self) -> (Vec<String>, NanoUsd) {
        let mut names = Vec::new();
        let mut sum = NanoUsd::ZERO;
        for path in files(&self.folder.join("images")) {
            if path.extension().is_some_and(|extension| extension == "json") {
                let sidecar: Value =
                    serde_json::from_slice(&fs::read(&path).expect("a sidecar")).expect("JSON");
                names.push(sidecar["rid"].as_str().expect("a name").to_owned());
                let amount = sidecar["amount"].as_str().expect("an amount");
                sum = sum.checked_add(amount.parse().expect("an amount")).expect("a sum");
            }
        }
        (names, sum)
    }

    /// The files below `raw/`.
    pub(crate) fn raw(&self) -> Vec<PathBuf> {
        files(&self.folder.join("raw"))
    }

    /// The outcome and the reason of each row, in the order of the journal.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.folder.join("journal.jsonl")).expect("a journal");
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events
            .map(|line| line["event"].clone())
            .filter(|event| event["type"] == "row_finished")
            .map(|event| {
                let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (word("outcome"), word("reason"))
            })
            .collect()
    }

    /// What must hold of every run.
    pub(crate) fn check_books(&self) {
        let (exposure, limit) = (self.day("exposure_today"), self.day("limit_per_day"));
        let billed = self.bill.amount("total");
        assert!(billed <= exposure, "billed {billed}, exposed {exposure}: {}", self.summary);
        assert!(exposure <= limit, "exposed {exposure} of {limit}");
        let (names, sum) = self.stored();
        assert_eq!(sum, self.bill.sum_of(&names), "sidecars and bill");
        assert_eq!(self.stats["repeated_request_ids"], 0, "{}", self.stats);
        assert_eq!(self.stats["requests"], self.report["attempts"], "{}", self.stats);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
