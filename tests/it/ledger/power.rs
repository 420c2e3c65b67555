//! Power loss over random logs: lines in groups of which some were synced, each un-synced page kept
//! or lost on its own, then the real recovery. And bits that rot in what was promised.
//!
//! `LEDGER_POWER_LOGS` says how many logs and `LEDGER_POWER_SEED` which.

use std::path::Path;

use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::domain::ids::AttemptId;
use imagemill::domain::ledger::founding::to_microseconds;
use imagemill::domain::ledger::line::{Chain, encode_into};
use imagemill::domain::ledger::{
    CostSource, Draft, Founding, OwnerId, Record, RecordKind, Reserve, SegmentName, Settle,
};
use imagemill::ports::ledger::{CatchUp, LedgerStore, SegmentFolder, StoreError};
use jiff::tz::TimeZone;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::ledger::disk::{Disk, scratch};
use crate::ledger::support::{START, cents, founding, fresh_id, number_from, run};

/// Logs where nobody asks for another number.
const LOGS: u64 = 2000;
/// The seed where nobody names one.
const SEED: u64 = 7;

/// A log under construction: its lines, and how many bytes of it were synced.
struct Log {
    bytes: Vec<u8>,
    chain: Chain,
    draft: Draft,
    n_lines: usize,
    /// Lines and bytes that were promised.
    promised: (usize, usize),
}

impl Log {
    fn new(founding: &Founding) -> Self {
        let time = to_microseconds(START.parse().expect("a time"));
        let day = TimeZone::UTC.to_datetime(time).date();
        let owner = OwnerId::new(fresh_id());
        let mut draft = Draft::new(owner, TimeZone::UTC, "imagemill test".into());
        let first = founding.records(time, day);
        draft.catch_up(&first).expect("a founding");
        draft.start(time, None, None).expect("a founding");
        let (bytes, chain) = (Vec::new(), Chain::default());
        let mut log = Self { bytes, chain, draft, n_lines: 0, promised: (0, 0) };
        log.write(&first);
        log.sync();
        log
    }

    fn write(&mut self, records: &[Record]) {
        let mut text = String::new();
        records.iter().for_each(|record| encode_into(&mut text, record, &mut self.chain));
        self.bytes.extend_from_slice(text.as_bytes());
        self.n_lines += records.len();
    }

    fn sync(&mut self) {
        self.promised = (self.n_lines, self.bytes.len());
        self.chain.durable = self.bytes.len() as u64;
    }

    /// A group of one to six lines.
    fn group(&mut self, chance: &mut impl Rng) -> usize {
        let from = self.bytes.len();
        for _ in 0..=chance.next_u32() % 3 {
            let rid = AttemptId::new(fresh_id());
            self.draft.push(reserve(rid, chance)).expect("a rule holds");
            if chance.next_u32() & 1 == 0 {
                let source = CostSource::Usage;
                let settle = Settle { rid, amount: cents(1), source, provider_id: None };
                self.draft.push(RecordKind::Settle(settle)).expect("a rule holds");
            }
        }
        let records = self.draft.records().to_vec();
        self.draft.committed();
        self.write(&records);
        from
    }
}

/// A reserve whose line has a length of its own.
fn reserve(rid: AttemptId, chance: &mut impl Rng) -> RecordKind {
    RecordKind::Reserve(Box::new(Reserve {
        rid,
        run: run(),
        row: 1,
        variant: 1,
        attempt_no: 1,
        owner: OwnerId::new(fresh_id()),
        provider: "sim".into(),
        model: "m".repeat(chance.next_u32() as usize % 250 + 1).into(),
        max: cents(4),
        request_digest: [7; 32],
        timeout_ms: 120_000,
        late_ms: 3_600_000,
        tags: Vec::new(),
        canary: false,
    }))
}

fn segment() -> SegmentName {
    SegmentName { day: "2026-11-21".parse().expect("a day"), number: 1 }
}

/// The next process comes, on whatever is on the disk.
fn begin(root: &Path, disk: &Disk) -> Result<(CatchUp, DirectoryLedger), StoreError> {
    let now = START.parse().expect("a time");
    let founding = founding(cents(100));
    let options = OpenOrCreate { root: root.to_owned(), founding, now };
    let mut ledger = DirectoryLedger::open_in(options, disk.process().0)?;
    let found = block_on(ledger.begin())?;
    Ok((found, ledger))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime").block_on(future)
}

/// Writes what the recovery wants to be written, and reads all of it once more.
fn goes_on(root: &Path, disk: &Disk, found: &CatchUp, ledger: &mut DirectoryLedger) {
    let owner = OwnerId::new(fresh_id());
    let mut draft = Draft::new(owner, TimeZone::UTC, "imagemill test".into());
    draft.catch_up(&found.records).expect("what was kept follows the rules");
    let now = START.parse().expect("a time");
    draft.start(now, found.repair.clone(), found.new_segment).expect("a rule holds");
    draft.check().expect("a rule holds");
    block_on(ledger.commit(draft.records())).expect("the disk is well");
    let (again, _) = begin(root, disk).expect("it was healed");
    assert_eq!(again.records.len(), found.records.len() + draft.records().len());
    assert!(again.repair.is_none(), "it is healed once");
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn no_synced_line_is_lost_and_no_torn_log_is_called_corrupt_after_a_power_loss() {
    let n_logs = number_from("LEDGER_POWER_LOGS", LOGS);
    let seed = number_from("LEDGER_POWER_SEED", SEED);
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let folder = scratch();
    let root = folder.path();
    let founding = founding(cents(100));
    let (mut n_promised, mut n_kept, mut n_torn, mut n_cut_bytes) = (0, 0, 0, 0);
    for n in 0..n_logs {
        let page = if chance.next_u32() & 1 == 0 { 512 } else { 4096 };
        let disk = Disk::new(root, page, chance.next_u64());
        for of_the_log_before in [segment().to_string(), "tail".to_owned()] {
            let _ = std::fs::remove_file(root.join(of_the_log_before));
        }
        let mut log = Log::new(&founding);
        let mut file = disk.process().0.create(segment()).expect("the disk is well");
        file.append(&log.bytes).expect("the disk is well");
        file.sync().expect("the disk is well");
        disk.process().0.sync_folder(segment()).expect("the disk is well");
        for _ in 0..chance.next_u32() % 12 {
            let from = log.group(&mut chance);
            file.append(&log.bytes[from..]).expect("the disk is well");
            if chance.next_u32() % 10 < 6 {
                file.sync().expect("the disk is well");
                log.sync();
            }
        }
        drop(file);
        disk.power_loss(chance.next_u64());
        let (found, mut ledger) = begin(root, &disk)
            .unwrap_or_else(|error| panic!("seed {seed}, log {n}: a false alarm: {error:?}"));
        let kept = found.records.len();
        assert!(kept >= log.promised.0, "seed {seed}, log {n}: {kept} of {:?}", log.promised);
        assert!(kept <= log.n_lines, "seed {seed}, log {n}");
        n_promised += log.promised.0;
        n_kept += kept;
        n_torn += u64::from(found.repair.is_some());
        n_cut_bytes += found.repair.as_ref().map_or(0, |repair| repair.bytes);
        if found.repair.is_some() {
            goes_on(root, &disk, &found, &mut ledger);
        }
    }
    assert!(n_torn > n_logs / 10, "hardly any log was torn");
    println!(
        "power loss: {n_logs} logs (seed {seed}), {n_torn} torn, {n_cut_bytes} bytes cut; \
         {n_promised} synced lines, {n_kept} lines kept; 0 false alarms, 0 synced lines lost"
    );
}

/// Writes the bytes as the segment, and says whether the next process refuses to spend.
fn is_found(root: &Path, bytes: &[u8]) -> bool {
    std::fs::write(root.join(segment().to_string()), bytes).expect("a segment");
    let disk = Disk::new(root, 512, 0);
    match begin(root, &disk) {
        Err(StoreError::Corrupt { .. }) => true,
        Err(other) => panic!("{other:?}"),
        Ok(_) => false,
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn every_flipped_bit_of_promised_bytes_is_found() {
    let n_logs = number_from("LEDGER_POWER_LOGS", LOGS);
    let seed = number_from("LEDGER_POWER_SEED", SEED);
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0xf11b);
    let folder = scratch();
    let root = folder.path();
    let founding = founding(cents(100));
    std::fs::create_dir(root.join("2026-11-21")).expect("a folder");
    assert!(!is_found(root, &Log::new(&founding).bytes), "a sound log is no corrupt one");
    let (mut n_flips, mut n_last, mut n_last_found) = (0_u64, 0_u64, 0_u64);
    for n in 0..n_logs {
        let mut log = Log::new(&founding);
        let n_groups = if n == 0 { 0 } else { chance.next_u32() % 6 };
        for _ in 0..=n_groups {
            log.group(&mut chance);
            if chance.next_u32() % 10 < 6 {
                log.sync();
            }
        }
        // Whoever writes next vouches for all that was synced before.
        log.sync();
        let vouched = log.bytes.len();
        log.group(&mut chance);
        // The first log is flipped at each bit (each seventh, where nobody asks for more), the
        // others at one place each.
        let one = chance.next_u64() as usize % (vouched * 8);
        let bits = if n == 0 { 0..vouched * 8 } else { one..one + 1 };
        for bit in bits.step_by(if n_logs > LOGS { 1 } else { 7 }) {
            log.bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(is_found(root, &log.bytes), "seed {seed}, log {n}, bit {bit} of {vouched}");
            log.bytes[bit / 8] ^= 1 << (bit % 8);
            n_flips += 1;
        }
        // Nothing vouches for the last group: there, bit rot looks like a torn end.
        let bit = vouched * 8 + chance.next_u64() as usize % ((log.bytes.len() - vouched) * 8);
        log.bytes[bit / 8] ^= 1 << (bit % 8);
        n_last += 1;
        n_last_found += u64::from(is_found(root, &log.bytes));
    }
    println!(
        "bit rot: {n_logs} logs (seed {seed}), {n_flips} of {n_flips} flips in promised bytes \
         found; of {n_last} flips in a last group that nothing vouches for, {n_last_found} found"
    );
}
