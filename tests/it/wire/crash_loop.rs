//! The crash loop: several real processes on one ledger, killed at random, with torn tails,
//! against a server that keeps its own bill. After each life an auditor of its own reads the
//! ledger's bytes.
//!
//! `CRASH_LOOP_KILLS` says how many kills, and `CRASH_LOOP_PROGRAM` which build of the command is
//! killed: each life reads the whole ledger, which a build for tests does slowly. It prints its
//! figures at the end.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use imagemill::domain::money::NanoUsd;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

use crate::support::sandbox::{IMAGEMILL, Sandbox};
use crate::support::sim_server::{SimServer, get};
use crate::wire::crashes::{amount, wait};

/// Kills where nobody asks for another number.
const KILLS: u64 = 24;
/// Processes alive at any time.
const PROCESSES: usize = 3;
/// One in so many kills takes all processes at once, and tears the ledger's tail.
const FULL_STOP_EVERY: u64 = 8;
/// What is added to the limit when hardly anything fits: the ledger stays close to its limit.
const MORE_CENTS: i64 = 60;
/// An image costs a cent and a half at worst.
const HARDLY_ANYTHING: NanoUsd = NanoUsd::from_nanos(100_000_000);

/// The program: processes, their server, and what has been seen of the ledger.
struct CrashLoop {
    sandbox: Sandbox,
    server: SimServer,
    chance: Xoshiro256PlusPlus,
    alive: Vec<Child>,
    limit_cents: i64,
    room: NanoUsd,
    auditor: Auditor,
    n_lives: u32,
    n_full_stops: u32,
    n_raises: u32,
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "whoever starts it says how long, and reads its figures"
)]
fn the_limit_survives_any_number_of_kills() {
    let wanted = std::env::var("CRASH_LOOP_KILLS").ok();
    let n_kills = wanted.map_or(KILLS, |n| n.parse().expect("CRASH_LOOP_KILLS is a number"));
    let program = std::env::var_os("CRASH_LOOP_PROGRAM").unwrap_or(IMAGEMILL.into());
    let sandbox = Sandbox::with_rows(40).with_program(program);
    let server = SimServer::start(
        "--sim latency=15ms±80%,errors=4%,drops=6%,throttles=2%,seed=11 --image-bytes 600",
    );
    let mut it = CrashLoop {
        sandbox,
        server,
        chance: Xoshiro256PlusPlus::seed_from_u64(0x1edc),
        alive: Vec::new(),
        limit_cents: 100,
        room: HARDLY_ANYTHING,
        auditor: Auditor::default(),
        n_lives: 0,
        n_full_stops: 0,
        n_raises: 0,
    };
    it.set_limit();
    for n in 1..=n_kills {
        it.fill();
        wait(Duration::from_millis(u64::from(it.chance.next_u32() % 120) + 5));
        if n % FULL_STOP_EVERY == 0 {
            it.stop_all();
            it.tear();
        } else {
            let victim = it.chance.next_u32() as usize % it.alive.len();
            kill(it.alive.swap_remove(victim));
        }
        it.audit(n);
    }
    it.stop_all();
    // The last one of all ends in peace, and leaves nothing under way.
    let ran = it.sandbox.run(&it.ask("out-last"));
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.everything());
    it.audit(n_kills);
    println!("{}", it.conclude(n_kills));
}

impl CrashLoop {
    fn ask(&self, out: &str) -> String {
        format!(
            "run rows.csv --live --fresh --fit-budget --provider openai --model gpt-image-2 \
             --quality low --gate none --base-url {} --confirm-cost 5 --concurrency 5 \
             --progress none --out {out}",
            self.server.base_url()
        )
    }

    /// Replaces whoever has died or ended, and raises the limit when hardly anything fits.
    fn fill(&mut self) {
        self.alive.retain_mut(|child| match child.try_wait().expect("it is ours") {
            Some(status) => {
                assert!(matches!(status.code(), Some(0 | 97)), "a run ended with {status}");
                false
            }
            None => true,
        });
        if self.room < HARDLY_ANYTHING {
            self.limit_cents += MORE_CENTS;
            self.n_raises += 1;
            self.set_limit();
        }
        while self.alive.len() < PROCESSES {
            self.n_lives += 1;
            let ask = self.ask(&format!("out-{}", self.n_lives));
            let mut command = self.sandbox.command(&ask);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            self.alive.push(child.expect("the command starts"));
        }
    }

    fn set_limit(&self) {
        let cents = self.limit_cents;
        let limit = format!("{}.{:02}", cents / 100, cents % 100);
        let set = format!("ledger limit set --per-day {limit} --why 'the crash loop goes on'");
        self.sandbox.run(&set).exits(0);
    }

    fn stop_all(&mut self) {
        self.alive.drain(..).for_each(kill);
    }

    /// What a power cut may leave behind the last line: bytes that no one was ever promised.
    fn tear(&mut self) {
        self.n_full_stops += 1;
        let segment = segments(&self.sandbox.real_ledger()).pop().expect("a segment");
        let last = fs::read(&segment).expect("a segment");
        let line = last.split_inclusive(|byte| *byte == b'\n').next_back().expect("a line");
        let tail: Vec<u8> = match self.chance.next_u32() % 4 {
            0 => line[..line.len() / 2].to_vec(),
            1 => vec![0; 512],
            2 => [&[0; 300][..], line].concat(),
            _ => b"{\"v\":1,\"seq\":\xff\xfe\n{}".to_vec(),
        };
        let mut file = fs::OpenOptions::new().append(true).open(&segment).expect("a segment");
        file.write_all(&tail).expect("a torn tail");
        self.auditor.n_torn += 1;
    }

    /// Billed <= exposure <= limit, no attempt sent twice, and the ledger is sound.
    fn audit(&mut self, n: u64) {
        // The bill comes first: what is sent meanwhile is in the ledger that is read next.
        let bill = amount(&get(&self.server.address, "/bill"), "total");
        let checked = self.sandbox.run("ledger check");
        assert_eq!(checked.code, Some(0), "kill {n}: {}", checked.everything());
        let summary = self.sandbox.run("ledger summary --format json").exits(0).json();
        let (exposure, limit) =
            (amount(&summary, "exposure_today"), amount(&summary, "limit_per_day"));
        assert!(bill <= exposure, "kill {n}: billed {bill}, exposed {exposure}");
        assert!(exposure <= limit, "kill {n}: exposed {exposure} of {limit}");
        self.room = limit.minus_or_zero(exposure);
        assert_eq!(self.server.stats()["repeated_request_ids"], 0, "kill {n}");
        let exposed = self.auditor.read(&self.sandbox.real_ledger(), n);
        assert!(bill <= exposed, "kill {n}: billed {bill}, the auditor counts {exposed}");
        let n_days = segments(&self.sandbox.real_ledger()).len();
        assert!(n_days > 1 || exposed <= limit, "kill {n}: {exposed} counted of {limit}");
    }

    /// The figures, once nothing is under way any more.
    fn conclude(&mut self, n_kills: u64) -> String {
        let summary = self.sandbox.run("ledger summary --format json").exits(0).json();
        assert_eq!(summary["reserved"], "0.00", "nothing is under way any more: {summary}");
        let auditor = &self.auditor;
        // A process that is killed right after it has cut a tail off leaves no record of it.
        assert!(auditor.n_repairs * 2 >= auditor.n_torn, "torn tails are healed");
        let bill = amount(&get(&self.server.address, "/bill"), "total");
        assert!(auditor.weights.len() > n_kills as usize, "the loop has hardly sent anything");
        format!(
            "crash loop: {n_kills} kills in {} lives, {} full stops, {} attempts, {} repairs, \
             {} higher limits; billed {bill} <= exposure {} <= limit {}; 0 violations",
            self.n_lives,
            self.n_full_stops,
            auditor.weights.len(),
            auditor.n_repairs,
            self.n_raises,
            amount(&summary, "exposure_today"),
            amount(&summary, "limit_per_day"),
        )
    }
}

/// Reads the lines as JSON and adds them up, with nothing of the code under test.
#[derive(Default)]
struct Auditor {
    /// What was read before: it must still be there, and is not parsed again.
    seen: BTreeMap<PathBuf, Vec<u8>>,
    /// What each attempt weighs, and whether it has ended.
    weights: BTreeMap<String, (NanoUsd, bool)>,
    n_torn: usize,
    n_repairs: usize,
}

impl Auditor {
    /// One reserve and at most one end for each attempt; returns the sum of all weights.
    fn read(&mut self, ledger: &Path, n: u64) -> NanoUsd {
        for path in segments(ledger) {
            let mut bytes = fs::read(&path).expect("a segment");
            let before = self.seen.remove(&path).unwrap_or_default();
            let same = bytes.starts_with(&before);
            assert!(same, "kill {n}: {} has lost a line", path.display());
            let end = before.len() + whole_lines(&bytes[before.len()..]).len();
            bytes.truncate(end);
            let new = bytes[before.len()..].split(|byte| *byte == b'\n');
            for line in new.filter(|line| !line.is_empty()) {
                let line: Value = serde_json::from_slice(line).expect("a line is JSON");
                self.record(&line, n);
            }
            self.seen.insert(path, bytes);
        }
        self.weights.values().fold(NanoUsd::ZERO, |sum, (weight, _)| sum.saturating_add(*weight))
    }

    fn record(&mut self, line: &Value, n: u64) {
        let rid = || line["rid"].as_str().expect("an attempt").to_owned();
        match line["k"].as_str().expect("a kind") {
            "reserve" => {
                let again = self.weights.insert(rid(), (amount(line, "max"), false));
                assert!(again.is_none(), "kill {n}: reserved twice: {line}");
            }
            kind @ ("settle" | "release" | "resolve") => {
                let attempt = self.weights.get_mut(&rid()).expect("a reserve comes first");
                assert!(!attempt.1, "kill {n}: ended twice: {line}");
                let amount = if kind == "release" { NanoUsd::ZERO } else { amount(line, "amt") };
                *attempt = (amount, true);
            }
            "repair" => self.n_repairs += 1,
            _ => {}
        }
    }
}

/// The bytes up to the last line that is one.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_whole = line.ends_with(b"\n") && serde_json::from_slice::<Value>(line).is_ok();
        if !is_whole || line.len() < 16 {
            break;
        }
        end += line.len();
    }
    &bytes[..end]
}

/// The segments in their order.
fn segments(ledger: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    crate::support::sandbox::walk(ledger, &mut |path| {
        let is_torn = path.components().any(|part| part.as_os_str() == "torn");
        if path.extension().is_some_and(|it| it == "jsonl") && !is_torn {
            found.push(path.to_owned());
        }
    });
    found.sort();
    found
}

fn kill(mut child: Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}
