//! Verdicts, values and documents of gates over small batches.

use super::super::expression::Severity;
use super::*;

fn run_of(book: &mut GateBook, outcomes: &[(Outcome, usize)]) {
    for (outcome, n) in outcomes {
        for _ in 0..*n {
            book.observe_row(&row(*outcome));
        }
    }
}

fn judged(text: &str, n: u64, outcomes: &[(Outcome, usize)], complete: bool) -> GateResult {
    let mut book = GateBook::new(vec![gate(text)], n, n);
    run_of(&mut book, outcomes);
    book.report(&RunFacts::default(), complete).remove(0)
}

fn shown(result: &GateResult) -> String {
    let value = result.value.as_deref().unwrap_or("-");
    format!("{} {value} [{}]", result.verdict.table_word(), result.reason)
}

#[test]
fn a_whole_batch_passes_or_fails() {
    use Outcome::{Failed, Ok, Partial, Refused, Rejected, Unknown};
    let check = |text: &str, outcomes: &[(Outcome, usize)], expect: &str| {
        let n = outcomes.iter().map(|(_, n)| *n as u64).sum();
        assert_eq!(shown(&judged(text, n, outcomes, true)), expect, "{text}");
    };
    let errors = "errors rate < 5%";
    check(errors, &[(Ok, 96), (Failed, 4)], "PASS 4.0% (4/100) []");
    check(errors, &[(Ok, 95), (Failed, 5)], "FAIL 5.0% (5/100) [5.0% (5/100) is not < 5%]");
    check("errors rate <= 5%", &[(Ok, 95), (Failed, 5)], "PASS 5.0% (5/100) []");
    check(errors, &[(Ok, 9), (Unknown, 1)], "FAIL 10.0% (1/10) [10.0% (1/10) is not < 5%]");
    check(errors, &[(Ok, 9), (Partial, 1)], "FAIL 10.0% (1/10) [10.0% (1/10) is not < 5%]");
    // Neither refusals nor rejections are errors; rejections are not even sent.
    check(errors, &[(Ok, 50), (Refused, 49), (Rejected, 1)], "PASS 0.0% (0/99) []");
    check(errors, &[(Rejected, 9)], "NODATA - [nothing was measured]");
    check("errors < 5% insufficient=pass", &[], "PASS - [nothing was measured; insufficient=pass]");
    check("errors < 5% insufficient=fail", &[], "FAIL - [nothing was measured; insufficient=fail]");
    check("errors count == 0", &[(Ok, 9)], "PASS 0 []");
    check("errors count <= 1", &[(Ok, 9), (Failed, 2)], "FAIL 2 [2 is not <= 1]");
    check(
        "refusals < 10%",
        &[(Ok, 9), (Refused, 1)],
        "FAIL 10.0% (1/10) [10.0% (1/10) is not < 10%]",
    );
    check("rejects < 50%", &[(Ok, 9), (Rejected, 1)], "PASS 10.0% (1/10) []");
    check("images.missing rate <= 10%", &[(Ok, 9), (Failed, 1)], "PASS 10.0% (1/10) []");
    check("images sum >= 9", &[(Ok, 9), (Failed, 1)], "PASS 9 []");
    check("latency max < 12s", &[(Ok, 9)], "FAIL 12s [12s is not < 12s]");
    check("latency avg <= 12s", &[(Ok, 9)], "PASS 12s []");
    check("row.cost max <= $0.20", &[(Ok, 9)], "PASS $0.04 []");
    check("attempts avg <= 1.5", &[(Ok, 9)], "PASS 1 []");
    check("cost.unknown == 0", &[(Ok, 9)], "PASS 0 []");
    check("cost.unknown == 0", &[(Unknown, 1)], "FAIL 1 [1 is not == 0]");
    // A third and its rounding: 33.3 % would wrongly stand on the limit.
    check(
        "errors < 33.3%",
        &[(Ok, 2), (Failed, 1)],
        "FAIL 33.33% (1/3) [33.33% (1/3) is not < 33.3%]",
    );
}

#[test]
fn a_part_of_a_batch_is_a_sample() {
    use Outcome::{Cancelled, Failed, Held, Ok, Unknown};
    let check = |text: &str, outcomes: &[(Outcome, usize)], expect: &str| {
        assert_eq!(shown(&judged(text, 100, outcomes, false)), expect, "{text}");
    };
    let errors = "errors rate < 5%";
    check(
        errors,
        &[(Ok, 5), (Held, 95)],
        "WEAK 0.0% (0/5) [within the limit so far (5 of at most 100)]",
    );
    check(
        errors,
        &[(Ok, 4), (Failed, 1), (Held, 95)],
        "HOLD 20.0% (1/5) [1 in 5 proves nothing yet]",
    );
    check(errors, &[(Failed, 5)], "FAIL 100.0% (5/5) [cannot pass any more: 5 of at most 100]");
    // An answer that is not known may turn out well, so it dooms nothing.
    check(errors, &[(Unknown, 5)], "HOLD 100.0% (5/5) [5 in 5 proves nothing yet]");
    check(errors, &[(Ok, 96)], "PASS 0.0% (0/96) [cannot fail any more]");
    check(
        errors,
        &[(Ok, 95), (Cancelled, 5)],
        "WEAK 0.0% (0/95) [within the limit so far (95 of at most 100)]",
    );
    check(errors, &[], "NODATA - [nothing was measured]");
    check("latency p(95) < 30s", &[(Ok, 5)], "HOLD max of 5: 12s [insufficient samples (5 of 20)]");
    check(
        "latency p(95) < 30s",
        &[(Ok, 20)],
        "WEAK 12s [within the limit so far (20 of at most 100)]",
    );
    check(
        "latency p(95) < 3s",
        &[(Ok, 6)],
        "FAIL max of 6: 12s [cannot pass any more: 6 of at most 100]",
    );
    check("latency p(95) < 3s min=1", &[(Ok, 5)], "HOLD 12s [5 in 5 proves nothing yet]");
    check("latency p(95) < 30s", &[(Ok, 95)], "PASS 12s [cannot fail any more]");
    check("latency max < 3s", &[(Ok, 1)], "FAIL 12s [cannot pass any more: 1 of at most 100]");
    check("latency avg < 3s", &[(Ok, 50)], "HOLD 12s [beyond the limit so far, and more may come]");
    check("errors count == 0", &[(Failed, 1)], "FAIL 1 [cannot pass any more: 1 of at most 100]");
    check("images sum >= 100", &[(Failed, 1)], "FAIL 0 [cannot pass any more: 0 is not >= 100]");
    check("images sum >= 5", &[(Ok, 5)], "PASS 5 [cannot fail any more]");
}

#[test]
fn small_percentiles_of_a_census_are_only_warnings() {
    let result = judged("latency p(95) < 3s", 10, &[(Outcome::Ok, 10)], true);
    assert_eq!((result.verdict, result.severity), (Verdict::Fail, Severity::Warn));
    assert_eq!(overall(&[result]), Verdict::Pass);
    let result = judged("latency p(95) < 3s", 20, &[(Outcome::Ok, 20)], true);
    assert_eq!((result.verdict, result.severity), (Verdict::Fail, Severity::Error));
    assert_eq!(overall(&[result]), Verdict::Fail);
}

#[test]
fn the_worst_verdict_wins_and_warnings_do_not_count() {
    use Verdict::{Fail, Inconclusive, NoData, Pass, WeakPass};
    assert!(Fail > NoData && NoData > Inconclusive && Inconclusive > WeakPass && WeakPass > Pass);
    let mut weak = judged("errors < 5%", 100, &[(Outcome::Ok, 5)], false);
    let fail = judged("errors < 5% severity=warn", 100, &[(Outcome::Failed, 5)], false);
    assert_eq!(overall(&[]), Pass);
    assert_eq!(overall(&[weak.clone(), fail]), WeakPass);
    weak.verdict = NoData;
    assert_eq!(overall(&[weak]), NoData);
}

#[test]
fn gauges_and_counters_of_the_run_are_judged() {
    let rows = RowCounts { planned: 100, ok: 38, partial: 1, failed: 1, ..RowCounts::default() };
    let run = RunFacts {
        elapsed: Duration::from_secs(120),
        eta: Some(Duration::from_millis(95_500)),
        settled: NanoUsd::from_nanos(1_640_000_000),
        reserved: NanoUsd::from_nanos(360_000_000),
        settled_where_estimated: NanoUsd::from_nanos(1_100_000_000),
        estimate_of_settled: NanoUsd::from_nanos(1_000_000_000),
        estimate_of_unsent: NanoUsd::from_dollars(2),
        worst_case_of_unsent: Some(NanoUsd::from_dollars(3)),
        exposure_today: NanoUsd::from_dollars(2),
        limit_per_day: NanoUsd::from_dollars(10),
        bytes_out: 3 << 19,
        rows,
        ..RunFacts::default()
    };
    let check = |text: &str, complete: bool, expect: &str| {
        let book = GateBook::new(vec![gate(text)], 100, 199);
        assert_eq!(shown(&book.report(&run, complete)[0]), expect, "{text}");
    };
    check("elapsed < 10m", true, "PASS 2m00s []");
    check("elapsed < 10m", false, "WEAK 2m00s [within the limit so far]");
    check("elapsed < 2m", false, "FAIL 2m00s [cannot pass any more: 2m00s is not < 2m]");
    check("elapsed.per_row <= 3s", true, "PASS 3s []");
    check("eta < 2m", true, "PASS 1m36s []");
    check("rps >= 0.3", true, "PASS 0.33 []");
    check("cost <= $1.64", true, "PASS $1.64 []");
    check("cost <= $1", false, "FAIL $1.64 [cannot pass any more: $1.64 is not <= $1]");
    check("cost <= $5", false, "PASS $1.64 [cannot fail any more]");
    check("cost <= $4.99", false, "WEAK $1.64 [within the limit so far]");
    check("cost rate <= $50", true, "PASS $49.20/h []");
    check("cost.projected <= $4", true, "PASS $4.00 []");
    check("cost.drift <= 10%", true, "PASS 10.0% []");
    check("cost.drift < 10%", true, "FAIL 10.0% [10.0% is not < 10%]");
    check("budget.used <= 100%", true, "PASS 20.0% []");
    check("bytes.out >= 1MiB", true, "PASS 1.5 MiB []");
    check("rows.planned == 100", true, "PASS 100 []");
    check("rows.sent >= 40", false, "PASS 40 [cannot fail any more]");
    check("rows.failed == 0", false, "FAIL 2 [cannot pass any more: 2 is not == 0]");
    check("rows.ok >= 98", false, "HOLD 38 [beyond the limit so far, and more may come]");
    check("rows.ok >= 99", false, "FAIL 38 [cannot pass any more: 38 is not >= 99]");
    check("rows.pending == 60", true, "PASS 60 []");
}

#[test]
fn a_run_is_stopped_as_soon_as_a_gate_is_doomed() {
    let run = RunFacts { elapsed: Duration::from_secs(1000), ..RunFacts::default() };
    let mut book = GateBook::new(default_gates(), 100, 199);
    run_of(&mut book, &[(Outcome::Ok, 36), (Outcome::Failed, 4)]);
    assert!(book.doomed(&run).is_none(), "elapsed never stops a run");
    run_of(&mut book, &[(Outcome::Failed, 1)]);
    let doom = book.doomed(&run).expect("five of a hundred");
    assert_eq!(doom.gate.text(), "errors rate < 5% abort=doomed");
    assert_eq!(doom.reason, "doomed at row 41: 5 of at most 100");

    let doomed_by = |text: &str, n_ok: usize, n_failed: usize| {
        let mut book = GateBook::new(vec![gate(text)], 100, 100);
        run_of(&mut book, &[(Outcome::Ok, n_ok), (Outcome::Failed, n_failed)]);
        book.doomed(&RunFacts::default()).map(|doom| doom.reason)
    };
    assert_eq!(doomed_by("errors < 5% abort=now", 17, 2), None);
    assert_eq!(
        doomed_by("errors < 5% abort=now", 18, 2).as_deref(),
        Some("broken at row 20: 2 of at most 100")
    );
    assert_eq!(doomed_by("errors < 5% abort=never", 0, 100), None);
    assert_eq!(doomed_by("errors < 5% severity=warn", 0, 100), None);
    assert_eq!(doomed_by("errors < 5% after=50", 0, 40), None);
    assert_eq!(
        doomed_by("elapsed < 0s abort=doomed", 0, 0).as_deref(),
        Some("doomed at row 0: 0ms is not < 0s")
    );
}

#[test]
fn selectors_choose_rows_and_attempts() {
    let gates = [
        "errors{has_refs=true} rate < 5%",
        "errors{variants!=1} count == 0",
        "errors{error_kind=timeout} count <= 1",
        "latency{outcome=ok} count == 2",
        "latency.attempt{model=gpt-image-2} max < 10s",
        "cost{provider=openai} <= $1",
    ];
    let mut book = GateBook::new(gates.iter().map(|text| gate(text)).collect(), 4, 4);
    let with = |tags: RowTags, outcome: Outcome| RowFacts { tags, ..row(outcome) };
    book.observe_row(&row(Outcome::Ok));
    book.observe_row(&with(RowTags { has_refs: true, ..tags() }, Outcome::Ok));
    let timeout = RowTags { error_kind: Some("timeout"), variants: 10, ..tags() };
    book.observe_row(&with(timeout, Outcome::Failed));
    let other = RowTags { model: Arc::from("other"), ..tags() };
    for (tags, seconds) in [(tags(), 9), (other, 99)] {
        book.observe_attempt(&AttemptFacts { latency: Duration::from_secs(seconds), tags });
    }
    let results = book.report(&RunFacts::default(), true);
    let all: Vec<String> = results.iter().map(shown).collect();
    assert_eq!(
        all,
        [
            "PASS 0.0% (0/1) []",
            "FAIL 1 [1 is not == 0]",
            "PASS 1 []",
            "PASS 2 []",
            "PASS 9s []",
            "PASS $0.12 []",
        ]
    );
}

#[test]
fn results_are_written_for_machines() {
    let result = judged("row.cost max <= $0.20", 1, &[(Outcome::Ok, 1)], true);
    let json = serde_json::to_value(&result).expect("a result is plain data");
    let expect = serde_json::json!({
        "gate": "row.cost max <= $0.20", "label": "row.cost max", "metric": "row.cost",
        "agg": "max", "op": "<=", "limit": "$0.20", "value": "$0.04", "value_number": "0.04",
        "unit": "usd", "n": 1, "k": 0, "lower": null, "upper": null, "verdict": "pass",
        "severity": "error", "reason": "",
    });
    assert_eq!(json, expect);
    let number = |text: &str| {
        let result = judged(text, 8, &[(Outcome::Ok, 6), (Outcome::Failed, 2)], true);
        serde_json::to_value(result.value_number).expect("a number").to_string()
    };
    assert_eq!(number("errors < 5%"), "0.25");
    assert_eq!(number("errors count < 5"), "2");
    assert_eq!(number("latency max < 5s"), "12000.0");
}

#[test]
fn large_trends_keep_exact_verdicts_in_flat_memory() {
    let n = 20_000_u64;
    let mut book = GateBook::new(
        vec![gate("latency p(90) <= 18s"), gate("latency p(90) < 18s"), gate("latency med < 1m")],
        n,
        n,
    );
    for number in 1..=n {
        let latency = Some(Duration::from_millis(number));
        book.observe_row(&RowFacts { latency, ..row(Outcome::Ok) });
    }
    let results = book.report(&RunFacts::default(), true);
    assert_eq!(shown(&results[0]), "PASS 18s []");
    assert_eq!(shown(&results[1]), "FAIL 18s [18s is not < 18s]");
    assert_eq!((results[1].n, results[1].k), (n, Some(2001)));
    let median: f64 = match results[2].value_number {
        Some(GateNumber::Number(millis)) => millis,
        other => panic!("{other:?}"),
    };
    assert!((median - 10_000.0).abs() <= 10.0, "{median}");
}
