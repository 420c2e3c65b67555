//! What the files say, read with nothing of the code under test: checksum, JSON, sums.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imagemill::domain::ids::AttemptId;
use imagemill::domain::money::NanoUsd;
use jiff::civil::Date;
use serde_json::Value;

/// One attempt as the files have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) max: i64,
    pub(crate) from: Date,
    /// The amount is missing when only a sum has it: its line was lost with a failed sync.
    pub(crate) end: Option<(Date, Option<i64>)>,
    pub(crate) until: Option<Date>,
}

/// What all whole lines say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) attempts: BTreeMap<AttemptId, Seen>,
    pub(crate) day: Date,
    pub(crate) limit: i64,
    /// What was read, so that only what is new is read next time.
    read: Vec<(PathBuf, Vec<u8>)>,
    has_grown: bool,
}

impl Files {
    /// Reads on; from the start again when anything that was read has changed.
    pub(crate) fn read(&mut self, root: &Path) {
        let segments = segments(root);
        let grew = |(index, (path, before)): (usize, &(PathBuf, Vec<u8>))| {
            let is_last = index + 1 == self.read.len();
            segments.get(index).is_some_and(|(now_path, now)| {
                now_path == path && if is_last { now.starts_with(before) } else { now == before }
            })
        };
        if !self.read.iter().enumerate().all(grew) {
            *self = Self::default();
        }
        self.has_grown = false;
        for (index, (path, bytes)) in segments.into_iter().enumerate() {
            let from = self.read.get(index).map_or(0, |(_, before)| before.len());
            let mut end = from;
            for line in bytes[from..].split_inclusive(|byte| *byte == b'\n') {
                let Some(record) = whole(line) else { break };
                self.fold(&record);
                self.has_grown = true;
                end += line.len();
            }
            let read = (path, bytes[..end].to_vec());
            match self.read.get_mut(index) {
                Some(before) => *before = read,
                None => self.read.push(read),
            }
        }
    }

    /// Whether there were lines that had not been read before.
    pub(crate) fn grew(&self) -> bool {
        self.has_grown
    }

    fn fold(&mut self, line: &Value) {
        let day = date(&line["day"]);
        let rid = || attempt(&line["rid"]);
        self.day = self.day.max(day);
        match line["k"].as_str().expect("a kind") {
            "open" => {
                self.limit = cents(&line["limits"][0]["value"]);
                self.carry(line, day);
            }
            "limit" => self.limit = cents(&line["value"]),
            "reserve" => {
                let max = cents(&line["max"]);
                let seen = Seen { max, from: day, end: None, until: None };
                assert!(self.attempts.insert(rid(), seen).is_none(), "reserved twice: {line}");
            }
            "unknown" => {
                let seen = self.attempts.get_mut(&rid()).expect("a reserve comes first");
                assert!(seen.until.is_none() && seen.end.is_none(), "not under way: {line}");
                seen.until = Some(date(&line["last"]));
            }
            kind @ ("settle" | "release" | "resolve") => {
                let seen = self.attempts.get_mut(&rid()).expect("a reserve comes first");
                assert!(seen.end.is_none(), "ended twice: {line}");
                seen.end =
                    Some((day, Some(if kind == "release" { 0 } else { cents(&line["amt"]) })));
            }
            "roll" => {
                let next = line["next"].as_str().expect("a name");
                self.day = next[..10].parse().expect("a day");
            }
            _ => {}
        }
    }

    /// A new segment knows what has not ended, also when the lines of the old one were lost.
    fn carry(&mut self, line: &Value, day: Date) {
        let mut ended: Vec<AttemptId> = self.attempts.keys().copied().collect();
        for carried in line["carry"].as_array().expect("a list") {
            let rid = attempt(&carried["rid"]);
            let until = carried.get("last").map(date);
            let new =
                Seen { max: cents(&carried["max"]), from: date(&carried["day"]), end: None, until };
            let seen = self.attempts.entry(rid).or_insert_with(|| new.clone());
            seen.until = seen.until.or(until);
            assert_eq!(*seen, new, "{rid} is carried as it was");
            ended.retain(|other| *other != rid);
        }
        for rid in ended {
            let seen = self.attempts.get_mut(&rid).expect("it was listed");
            seen.end = seen.end.or(Some((day, None)));
        }
    }
}

/// The line as JSON, when it is whole and its checksum is right.
fn whole(line: &[u8]) -> Option<Value> {
    let body = line.strip_suffix(b"\"}\n")?;
    let (text, sum) = body.split_at_checked(body.len().checked_sub(8)?)?;
    let checked = text.strip_suffix(b",\"c\":\"")?;
    let is_right = sum == format!("{:08x}", crc32c::crc32c(checked)).as_bytes();
    is_right.then(|| serde_json::from_slice(line).expect("a line with its checksum is JSON"))
}

/// The segments with their bytes, in order.
fn segments(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for day in fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = day.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.parse::<Date>().is_ok() {
            let files = fs::read_dir(&day).expect("a folder");
            found.extend(files.map(|entry| entry.expect("an entry").path()));
        }
    }
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read(path).expect("a segment"))).collect()
}

fn attempt(value: &Value) -> AttemptId {
    value.as_str().expect("an attempt").parse().expect("an attempt")
}

fn date(value: &Value) -> Date {
    value.as_str().expect("a day").parse().expect("a day")
}

fn cents(value: &Value) -> i64 {
    let amount: NanoUsd = value.as_str().expect("money").parse().expect("money");
    amount.nanos() / 10_000_000
}
