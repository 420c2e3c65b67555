//! The catalogue of faults, rows 1 to 96 (money, log and disk, references and their addresses):
//! each that can happen on one machine has a test whose name ends with `_row_` and its number, or
//! with several numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Rows without a test, and why.
const WITHOUT: [(u32, &str); 12] = [
    (10, "two machines race: the protocol's model catches the mutant `no-cas`; a later issue"),
    (11, "the lost reply of an object store: several machines"),
    (12, "the slice of a dead machine: several machines; the mutant `expiry-refunds`"),
    (13, "a slice spent after its return: several machines; the mutant `return-before-zero`"),
    (19, "slow clocks of several machines: three mutants of the pool's model"),
    (30, "an attempt's id is made for it and never used again, so no window can be missed"),
    (53, "an image without its settle is unknown like row 2, until runs can be continued"),
    (54, "segments in an object store: several machines"),
    (55, "the rates of an object store: several machines"),
    (56, "a store without conditional writes: several machines"),
    (57, "conflicts in an object store: several machines"),
    (58, "the clock of an object store: several machines"),
];

#[test]
fn every_row_has_a_test_or_a_reason() {
    let mut tested: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for folder in ["src", "tests"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut tested);
    }
    let without: BTreeMap<u32, &str> = WITHOUT.into_iter().collect();
    assert_eq!(without.len(), WITHOUT.len(), "a row stands twice");
    for row in 1..=96 {
        match (tested.get(&row), without.get(&row)) {
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => panic!("row {row} has neither a test nor a reason"),
            (Some(tests), Some(why)) => panic!("row {row} has {tests:?}, and a reason: {why}"),
        }
    }
    assert!(tested.keys().all(|row| (1..=96).contains(row)), "{tested:?}");
}

/// The tests below a folder by the rows that their names end with.
fn collect(folder: &Path, tested: &mut BTreeMap<u32, Vec<String>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, tested);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            for name in tests_of(&text) {
                for row in rows_of(name) {
                    tested.entry(row).or_default().push(name.to_owned());
                }
            }
        }
    }
}

/// The names of functions behind an attribute that makes them tests.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with('#') {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            return None;
        }
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let name = name.and_then(|rest| rest.split(['(', '<']).next());
        std::mem::take(&mut is_test).then_some(name).flatten()
    })
}

/// The numbers behind `_row_` at the end of a name.
fn rows_of(name: &str) -> Vec<u32> {
    let Some((_, numbers)) = name.split_once("_row_") else { return Vec::new() };
    let rows: Result<Vec<u32>, _> = numbers.split('_').map(str::parse).collect();
    rows.unwrap_or_default()
}

#[test]
fn rows_are_read_from_names_of_tests_only() {
    let text = "#[test]\nfn one_row_1_22() {}\nfn helper_row_3() {}\n#[tokio::test(x)]\n\
                #[ignore]\nasync fn two_row_4() {}\n#[test]\nfn other_row_of_things() {}\n";
    let rows: Vec<u32> = tests_of(text).flat_map(rows_of).collect();
    assert_eq!(rows, [1, 22, 4]);
}
