//! The vectors and promises of `canary-order/1`.

use proptest::prelude::*;

use super::*;

struct Batch {
    ids: Vec<String>,
    hashes: Vec<u64>,
    strata_of_rows: Vec<u16>,
    strata: Strata,
}

fn id(number: usize) -> String {
    format!("BATCH-{number:03}")
}

/// The seed's shape: variants cycle 1, 2, 3 and every fifth row has a reference.
fn batch(salt: &str, numbers: &[usize], model: &dyn Fn(usize) -> &'static str) -> Batch {
    let hasher = OrderHasher::new(salt);
    let mut strata = Strata::default();
    let ids: Vec<String> = numbers.iter().map(|number| id(*number)).collect();
    let hashes = ids.iter().map(|id| hasher.hash(id)).collect();
    let strata_of_rows = numbers
        .iter()
        .map(|number| {
            let variants =
                u8::try_from((number - 1) % 3 + 1).expect("valid").try_into().expect("valid");
            let refs = number % 5 == 0;
            strata.number(CanaryChoice::Auto, refs, variants, model(*number)).expect("valid")
        })
        .collect();
    Batch { ids, hashes, strata_of_rows, strata }
}

fn ordered(salt: &str, batch: &Batch) -> CanaryOrder {
    let compare = |a: u32, b: u32| batch.ids[a as usize].cmp(&batch.ids[b as usize]);
    order(&OrderHasher::new(salt), &batch.hashes, &batch.strata_of_rows, &batch.strata, &compare)
}

fn first_ids(salt: &str, batch: &Batch, n: usize) -> String {
    let order = ordered(salt, batch);
    let number = |row: &u32| batch.ids[*row as usize]["BATCH-".len()..].to_owned();
    order.rows()[..n].iter().map(number).collect::<Vec<_>>().join(" ")
}

fn hundred() -> Vec<usize> {
    (1..=100).collect()
}

#[test]
fn hashes_are_those_of_the_specification() {
    assert_eq!(hash("demo", "BATCH-001"), 0xd2a5_e8c8_5e26_0f63);
    assert_eq!(hash("demo", "BATCH-002"), 0xc5be_bbba_ad08_7c2c);
    assert_eq!(hash("demo", "BATCH-100"), 0x7635_f577_55ec_7988);
    assert_eq!(hash("canary-1", "BATCH-001"), 0x8abe_4f4d_9621_14f8);
    assert_eq!(stratum_hash("demo", "has_refs=true"), 0x1d29_642e_f300_ddbc);
    assert_eq!(stratum_hash("demo", "has_refs=true/variants=2"), 0xdec9_3df4_5117_204c);
}

#[test]
fn a_single_stratum_is_ordered_by_its_hashes() {
    let mut batch = batch("demo", &hundred(), &|_| "m");
    batch.strata = Strata::default();
    let only = batch.strata.number(CanaryChoice::Auto, false, Variants::ONE, "m").expect("valid");
    batch.strata_of_rows = vec![only; 100];
    assert_eq!(first_ids("demo", &batch, 10), "071 012 053 035 021 098 043 057 088 015");
}

#[test]
fn the_stratified_orders_are_those_of_the_specification() {
    let one_model = |salt: &str| first_ids(salt, &batch(salt, &hundred(), &|_| "m"), 10);
    assert_eq!(one_model("demo"), "015 043 071 012 088 040 053 021 031 098");
    assert_eq!(one_model("canary-1"), "085 099 091 044 069 020 034 089 072 064");
    let two_models = |number: usize| {
        if number % 2 == 1 { "gpt-image-2" } else { "gpt-image-2.5-flare" }
    };
    assert_eq!(
        first_ids("demo", &batch("demo", &hundred(), &two_models), 10),
        "090 043 098 012 088 040 071 021 031 032"
    );
}

#[test]
fn the_first_five_hold_one_reference_row_and_all_variant_counts_for_a_thousand_salts() {
    for number in 0..1000 {
        let salt = format!("salt-{number}");
        let batch = batch(&salt, &hundred(), &|_| "m");
        let order = ordered(&salt, &batch);
        let strata: Vec<&Stratum> = order.rows()[..5]
            .iter()
            .map(|row| &batch.strata.list()[usize::from(batch.strata_of_rows[*row as usize])])
            .collect();
        assert_eq!(strata.iter().filter(|stratum| stratum.has_refs).count(), 1, "{salt}");
        for variants in 1..=3 {
            assert!(strata.iter().any(|stratum| stratum.variants.get() == variants), "{salt}");
        }
    }
}

#[test]
fn always_rows_are_inside_every_share_and_never_rows_outside_all_but_the_whole() {
    let mut batch = batch("demo", &hundred(), &|_| "m");
    let one = Variants::ONE;
    let always = batch.strata.number(CanaryChoice::Always, false, one, "m").expect("valid");
    let never = batch.strata.number(CanaryChoice::Never, true, one, "m").expect("valid");
    for row in 0..8 {
        batch.strata_of_rows[row] = always;
    }
    for row in 90..100 {
        batch.strata_of_rows[row] = never;
    }
    let order = ordered("demo", &batch);
    let share = |text: &str| order.selected(text.parse().expect("valid"));
    assert_eq!(share("5").len(), 8);
    assert!(share("5").iter().all(|row| *row < 8));
    assert_eq!(share("10").len(), 10);
    assert_eq!(share("95").len(), 90);
    assert!(share("95").iter().all(|row| *row < 90));
    assert_eq!(share("100").len(), 100);
}

#[test]
fn a_stratum_without_a_canary_row_is_named() {
    let batch = batch("demo", &hundred(), &|_| "m");
    let order = ordered("demo", &batch);
    let uncovered = |share: &str| -> Vec<String> {
        order
            .uncovered(share.parse().expect("valid"), &batch.strata_of_rows, &batch.strata)
            .iter()
            .map(Uncovered::to_string)
            .collect()
    };
    // The first five are 015 043 071 012 088: one row with a reference, and it has 3 variants.
    assert_eq!(
        uncovered("5"),
        ["has_refs=true/variants=1 (7 rows)", "has_refs=true/variants=2 (7 rows)"]
    );
    assert!(uncovered("50").is_empty());
}

#[test]
fn equal_steps_collapse() {
    let steps: Vec<Percent> =
        ["5", "10", "25", "50", "100"].iter().map(|step| step.parse().expect("valid")).collect();
    assert_eq!(step_sizes(&steps, 7), [1, 2, 4, 7]);
    assert_eq!(step_sizes(&steps, 1), [1]);
    assert_eq!(step_sizes(&steps, 100), [5, 10, 25, 50, 100]);
}

#[test]
fn no_rows_have_an_empty_order() {
    let batch = batch("demo", &[], &|_| "m");
    let order = ordered("demo", &batch);
    assert_eq!(order.selected("5".parse().expect("valid")).len(), 0);
}

/// The order as the specification words it, with whole fractions and plain sorting.
fn plain_order(salt: &str, rows: Vec<(u64, Vec<String>)>, path: &str, depth: usize) -> Vec<u64> {
    let mut rows = rows;
    if rows.first().is_none_or(|(_, keys)| keys.len() == depth) {
        rows.sort_unstable();
        return rows.into_iter().map(|(hash, _)| hash).collect();
    }
    let mut groups: BTreeMap<String, Vec<(u64, Vec<String>)>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.1[depth].clone()).or_default().push(row);
    }
    let mut placed: Vec<(u128, u128, u64)> = Vec::new();
    for (key, group) in groups {
        let path = if path.is_empty() { key } else { format!("{path}/{key}") };
        let (m, shift) = (group.len() as u128, u128::from(stratum_hash(salt, &path)));
        let inner = plain_order(salt, group, &path, depth + 1);
        placed.extend((0..).zip(inner).map(|(j, hash)| ((j << 64) + shift, m, hash)));
    }
    placed.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(a.2.cmp(&b.2)));
    placed.into_iter().map(|(_, _, hash)| hash).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn shares_are_nested_whatever_the_steps(
        n in 1_usize..300,
        a in 1_u32..=1000,
        b in 1_u32..=1000,
    ) {
        let numbers: Vec<usize> = (1..=n).collect();
        let batch = batch("nested", &numbers, &|_| "m");
        let order = ordered("nested", &batch);
        let share =
            |n: u32| -> Percent { format!("{}.{}", n / 10, n % 10).parse().expect("valid") };
        let (small, large) = (order.selected(share(a.min(b))), order.selected(share(a.max(b))));
        prop_assert_eq!(small, &large[..small.len()]);
        let mut all = order.rows().to_vec();
        all.sort_unstable();
        prop_assert_eq!(all, (0..u32::try_from(n).expect("valid")).collect::<Vec<_>>());
    }

    #[test]
    fn shuffling_the_lines_changes_nothing(
        numbers in Just((1..=60).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let model = |number: usize| if number.is_multiple_of(7) { "a" } else { "b" };
        let sorted: Vec<usize> = (1..=60).collect();
        prop_assert_eq!(
            first_ids("demo", &batch("demo", &numbers, &model), 60),
            first_ids("demo", &batch("demo", &sorted, &model), 60)
        );
    }

    #[test]
    fn the_merge_is_the_sort_of_the_specification(
        rows in prop::collection::vec((any::<u64>(), any::<bool>(), 1_u8..=4, 0_usize..3), 1..120),
    ) {
        let mut strata = Strata::default();
        let models = ["m0", "m1", "m2"];
        let of_rows: Vec<u16> = rows
            .iter()
            .map(|(_, refs, variants, model)| {
                let variants = (*variants).try_into().expect("valid");
                strata.number(CanaryChoice::Auto, *refs, variants, models[*model]).expect("valid")
            })
            .collect();
        let hashes: Vec<u64> = rows.iter().map(|row| row.0).collect();
        let order = order(&OrderHasher::new("s"), &hashes, &of_rows, &strata, &|a, b| a.cmp(&b));
        let n_models = strata.by_model();
        let keyed = rows
            .iter()
            .map(|(hash, refs, variants, model)| {
                let mut keys = vec![format!("has_refs={refs}"), format!("variants={variants}")];
                if n_models {
                    keys.push(format!("model={}", models[*model]));
                }
                (*hash, keys)
            })
            .collect();
        let ordered: Vec<u64> = order.rows().iter().map(|row| hashes[*row as usize]).collect();
        prop_assert_eq!(ordered, plain_order("s", keyed, "", 0));
    }
}
