//! What arithmetic promises early, the end keeps: doomed gates fail, assured gates pass.

use proptest::prelude::*;

use super::*;

/// Gates of every decidable kind, over rows whose latency is a few whole seconds.
fn texts() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let rate = (0_u32..=1000).prop_map(|tenths| format!("{}.{}%", tenths / 10, tenths % 10));
    let metric = prop::sample::select(vec![
        "errors rate",
        "errors{has_refs=true} rate",
        "refusals rate",
        "rejects rate",
        "timeouts rate",
        "flaky rate",
        "images.missing rate",
        "images.invalid rate",
    ]);
    let count = prop::sample::select(vec![
        "errors count",
        "images.missing count",
        "cost.unknown",
        "latency count",
        "images sum",
        "errors{variants=2} count",
    ]);
    let rank = prop::sample::select(vec![
        "latency p(50)",
        "latency p(90)",
        "latency p(99.9)",
        "latency med",
        "latency min",
        "latency max",
        "latency{has_refs=true} p(75)",
        "attempts p(33.3)",
    ]);
    prop_oneof![
        (metric, operator.clone(), rate).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        (count, operator.clone(), 0_u32..12).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        (rank, operator, 0_u32..6).prop_map(|(a, b, c)| {
            let unit = if a.starts_with("attempts") { "" } else { "s" };
            format!("{a} {b} {c}{unit}")
        }),
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Ok),
        2 => Just(Outcome::Failed),
        1 => Just(Outcome::Partial),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::Rejected),
        1 => Just(Outcome::Skipped),
        1 => Just(Outcome::Unknown),
    ]
}

fn rows() -> impl Strategy<Value = Vec<RowFacts>> {
    let one = (outcomes(), any::<[bool; 4]>(), 0_u64..6, 1_u32..=3, 0_u32..=3).prop_map(
        |(outcome, [refs, late, retried, timeout], seconds, images, lost)| {
            let base = row(outcome);
            let lost_here = if outcome == Outcome::Ok { 0 } else { lost };
            let stored = images.saturating_sub(lost_here);
            RowFacts {
                counts_as_error: late,
                latency: base.latency.map(|_| Duration::from_secs(seconds)),
                attempts: u32::try_from(seconds).expect("valid"),
                retries: u32::from(retried),
                timeouts: u32::from(timeout),
                images_expected: images,
                images_stored: if outcome.was_sent() { stored } else { 0 },
                images_invalid: u32::from(lost > 2),
                images_blank: u32::from(late),
                images_duplicate: if retried { images - 1 } else { 0 },
                tags: RowTags {
                    has_refs: refs,
                    variants: u8::try_from(images).expect("valid"),
                    ..tags()
                },
                ..base
            }
        },
    );
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn doomed_gates_fail_and_assured_gates_pass(
        text in texts(),
        rows in rows(),
        resolved in any::<bool>(),
    ) {
        let n_images = rows.iter().map(|row| u64::from(row.images_expected)).sum();
        let book = || {
            let text = format!("{text} min=1 abort=doomed");
            GateBook::new(vec![gate(&text)], rows.len() as u64, n_images)
        };
        let run = RunFacts::default();
        let mut early = book();
        let mut last = book();
        let mut doomed_at = None;
        let mut assured_at = None;
        for (number, row) in rows.iter().enumerate() {
            early.observe_row(row);
            // In the end a row whose answer was not known may turn out well.
            let turned_out = if resolved && row.outcome == Outcome::Unknown {
                let images_stored = row.images_expected;
                let outcome = Outcome::Ok;
                RowFacts { outcome, cost_known: true, images_stored, retries: 0, ..row.clone() }
            } else {
                row.clone()
            };
            last.observe_row(&turned_out);
            let partial = early.report(&run, false).remove(0);
            let is_doomed = early.doomed(&run).is_some();
            prop_assert_eq!(is_doomed, partial.verdict == Verdict::Fail);
            if is_doomed {
                doomed_at.get_or_insert(number);
            }
            if partial.verdict == Verdict::Pass {
                assured_at.get_or_insert(number);
            }
        }
        let verdict = last.report(&run, true).remove(0).verdict;
        // The turn of an unknown row is bound to hold only for what is bad when unknown.
        let may_flip = resolved && (text.starts_with("images sum") || text.starts_with("flaky"));
        if doomed_at.is_some() && !may_flip {
            prop_assert_eq!(verdict, Verdict::Fail, "{} doomed at {:?}", text, doomed_at);
        }
        if assured_at.is_some() && !may_flip {
            prop_assert_eq!(verdict, Verdict::Pass, "{} assured at {:?}", text, assured_at);
        }
    }

    #[test]
    fn a_census_of_ranks_is_the_sorted_sample(
        rows in rows(),
        percent in 1_u32..1000,
        limit in 0_u64..6,
    ) {
        let percentile = format!("{}.{}", percent / 10, percent % 10);
        let text = format!("latency p({percentile}) < {limit}s min=1");
        let mut book = GateBook::new(vec![gate(&text)], rows.len() as u64, 0);
        let mut samples: Vec<Duration> = rows.iter().filter_map(|row| row.latency).collect();
        rows.iter().for_each(|row| book.observe_row(row));
        samples.sort_unstable();
        let result = book.report(&RunFacts::default(), true).remove(0);
        let n = samples.len();
        let expect = match (n * percent as usize).div_ceil(1000) {
            0 => Verdict::NoData,
            rank if samples[rank - 1] < Duration::from_secs(limit) => Verdict::Pass,
            _ => Verdict::Fail,
        };
        prop_assert_eq!(result.verdict, expect);
    }
}
