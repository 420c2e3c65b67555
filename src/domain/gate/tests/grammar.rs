//! What reads as a gate and what does not, with columns and texts.

use super::super::expression::{Abort, After, Aggregation, Limit, Term};
use super::*;

#[test]
fn the_accepted_gates_of_the_specification_are_read() {
    let accepted = [
        "elapsed < 10m",
        "errors rate < 5%",
        "errors < 5%",
        "errors < 0.05",
        "latency p(95) < 30s",
        "latency{provider=openai} p(95) < 30s",
        "latency{model=\"gpt-image-1\",has_refs=true} p(99.9)<=1200ms",
        "cost <= $10",
        "cost sum <= $10.00 abort=doomed",
        "cost.drift <= 10% severity=warn",
        "cost.drift >= -20%",
        "errors count == 0 after=20 abort=now",
        "latency med <= baseline * 1.2 min=10",
        "errors rate <= baseline + 2pp confidence=95% evidence=strong",
        "errors rate < 5% per=provider insufficient=hold",
        "row.cost max <= $0.20",
        "rows.failed == 0",
        "attempts avg <= 1.5",
        "flaky rate < 10% severity=warn",
        "errors rate < 5% window=15m name=\"soak errors\"",
        "images sum >= 199",
        "latency max < 2m",
        "cost.unknown == 0",
        "budget.used <= 100%",
        "rps >= 0.3",
    ];
    assert_eq!(accepted.len(), 25);
    for text in accepted {
        assert_eq!(gate(text).text(), text);
    }
}

#[test]
fn the_rejected_gates_of_the_specification_have_their_columns() {
    let rejected = [
        ("error rate < 5%", 1),
        ("errors p(95) < 5%", 8),
        ("latency p(95) < 30", 17),
        ("latency p(100) < 3s", 9),
        ("latency < 3s", 9),
        ("cost <= 10", 9),
        ("errors rate < 5", 15),
        ("errors rate < -5%", 15),
        ("errors rate =< 5%", 13),
        ("errors rate < 5% or latency p(95) < 3s", 18),
        ("latency p(95) < 30s abort=maybe", 27),
        ("errors{provider} rate < 5%", 16),
        ("latency p(95) < 5%", 17),
        ("errors rate < 2pp", 15),
        ("errors rate < 5% min=20 min=30", 25),
        ("elapsed < 10min", 14),
        ("cost sum <= $", 14),
        ("errors rate <", 14),
        ("", 1),
        (" rows.failed === 0", 16),
    ];
    assert_eq!(rejected.len(), 20);
    for (text, column) in rejected {
        let error = Gate::parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text:?}: {error}");
        assert!(error.to_string().starts_with(&format!("col {column}: ")), "{error}");
    }
}

#[test]
fn errors_say_what_to_write() {
    let check = |text: &str, expect: &str| {
        assert_eq!(Gate::parse(text).expect_err(text).to_string(), expect, "{text}");
    };
    check("error rate < 5%", "col 1: unknown metric 'error'; did you mean 'errors'?");
    check("latency p(95) < 30", "col 17: a unit is required: 30s or 30ms?");
    check("cost <= 10", "col 9: a currency is required: $10?");
    check("errors rate < 5", "col 15: a ratio must be 0..1 or carry %: 5%?");
    check(
        "errors p(95) < 5%",
        "col 8: 'p' does not apply to errors (rate); use one of: count, rate",
    );
    check("errors rate < 2pp", "col 15: 'pp' only follows 'baseline +' or 'baseline -'");
    check("latency p(95) < 5%", "col 17: unit '%' is a ratio, but this metric is a time");
    check(
        "latency p(100) < 3s",
        "col 9: percentile must be between 0 and 100, exclusive; use min or max",
    );
    check("errors rate =< 5%", "col 13: one of < <= > >= == != is expected; did you mean '<='?");
    check(
        "errors rate < 5% or cost <= $1",
        "col 18: unexpected 'or' after the value; give one gate for each condition",
    );
    check(
        "errors < 5% sevrity=warn",
        "col 13: unknown clause 'sevrity='; did you mean 'severity='?",
    );
    check("latency p95 < 3s", "col 9: unknown aggregation 'p95'; did you mean 'p(95)'?");
    check(
        "errors {model=a} < 5%",
        "col 8: a selector stands right behind the metric, without a blank",
    );
    check("elapsed < 10min", "col 14: unexpected 'in' right behind the value");
    check("errors < 500%", "col 10: a rate is never above 100%");
    check("elapsed < $5", "col 11: unit '$' is a currency, but this metric is a time");
    check("éé < 5%", "col 1: a metric is expected, such as errors or latency");
    check("errors{model=\"é\" < 5%", "col 18: ',' or '}' is expected in the selector");
}

#[test]
fn amounts_are_exact() {
    let check = |text: &str, pico: i128| {
        let Limit::Fixed(amount) = gate(text).limit() else { panic!("{text}") };
        assert_eq!(amount.0, pico, "{text}");
    };
    check("errors < 7%", 70_000_000_000);
    check("errors < 0.07", 70_000_000_000);
    check("errors < 0.0000001%", 1000);
    check("elapsed < 1.5m", 90_000_000_000_000);
    check("elapsed < 1ms", 1_000_000_000);
    check("cost <= $0.000000001", 1000);
    check("cost <= $1_000.50", 1_000_500_000_000_000);
    check("cost.drift >= -20%", -200_000_000_000);
    check("bytes.out <= 1.5KiB", 1_536_000_000_000_000);
    assert!(Gate::parse("cost <= $0.0000000001").is_err());
    assert!(Gate::parse("elapsed < 99999999999999999999s").is_err());
}

#[test]
fn clauses_and_parts_are_kept() {
    let full = gate(
        "latency{model=a-*,has_refs!=true} p(99.9) <= 2s abort=now after=90s min=7 \
         insufficient=fail severity=warn name=\"slow ones\"",
    );
    assert_eq!(full.aggregation(), Aggregation::Percentile("99.9".parse().expect("valid")));
    assert_eq!(full.label(), "latency{model=a-*,has_refs!=true} p(99.9)");
    assert_eq!(full.limit_text(), "2s");
    assert_eq!(full.abort(), Abort::Now);
    assert_eq!(full.clauses().after, Some(After::Time(Duration::from_secs(90))));
    assert_eq!(full.clauses().name.as_deref(), Some("slow ones"));
    assert_eq!(full.min_samples(), 7);
    assert!(full.selector()[0].meets("a-1") && !full.selector()[0].meets("b"));
    assert!(full.selector()[1].meets("false") && !full.selector()[1].meets("true"));
    assert_eq!(gate("latency med < baseline").limit(), Limit::Baseline(Term::Same));
    assert_eq!(gate("latency med < baseline min=3").limit_text(), "baseline");
    assert_eq!(gate("latency med <= baseline * 1.2 min=10").limit_text(), "baseline * 1.2");
    assert_eq!(gate("errors < 5%").label(), "errors rate");
    assert_eq!(gate("cost <= $5").label(), "cost");
    for (text, min) in [("p(90)", 10), ("p(95)", 20), ("p(99)", 100), ("avg", 5), ("max", 1)] {
        assert_eq!(gate(&format!("latency {text} < 3s")).min_samples(), min, "{text}");
    }
    assert_eq!(gate("elapsed < 3s").abort(), Abort::Never);
    assert_eq!(gate("errors < 5%").abort(), Abort::Doomed);
    assert_eq!(gate("errors < 5% severity=warn").abort(), Abort::Never);
}

#[test]
fn wildcards_stand_for_any_text() {
    let check = |pattern: &str, text: &str, expect: bool| {
        let gate = gate(&format!("errors{{model={pattern}}} < 5%"));
        assert_eq!(gate.selector()[0].meets(text), expect, "{pattern} {text}");
    };
    check("gpt-*", "gpt-image-2", true);
    check("gpt-*-2", "gpt-image-2", true);
    check("gpt-*-2", "gpt-2", false);
    check("*image*", "gpt-image-2", true);
    check("*", "", true);
    check("a*a", "a", false);
    check("\"gpt-*\"", "gpt-image-2", false);
    check("\"gpt-*\"", "gpt-*", true);
}

#[test]
fn what_cannot_be_evaluated_is_said_before_anything_is_sent() {
    let planned = [tags(), RowTags { model: Arc::from("gpt-image-1"), variants: 10, ..tags() }];
    let context = StaticContext { planned: &planned };
    let check = |text: &str, expect: &str| {
        let said =
            gate(text).check(&context).map_or_else(|error| error.to_string(), |()| "".into());
        assert_eq!(said, expect, "{text}");
    };
    for fine in [
        "errors rate < 5%",
        "errors{model=gpt-image-1} rate < 5%",
        "errors{model=gpt-*,variants=10} rate < 5%",
        "latency{outcome=ok} p(95) < 3s",
        "errors{error_kind=timeout} count < 3",
        "errors < 5% evidence=point abort=now after=3",
    ] {
        check(fine, "");
    }
    let statistics = "needs the statistics that this version does not have";
    check("errors < 5% abort=likely", &format!("'abort=likely' {statistics}"));
    check("errors < 5% evidence=strong", &format!("'evidence=strong' {statistics}"));
    check("errors < 5% confidence=90%", &format!("'confidence=' {statistics}"));
    check("errors < 5% per=model", &format!("'per=' {statistics}"));
    check(
        "latency med < baseline",
        "'baseline' needs a baseline and the statistics that this version does not have",
    );
    check("errors < 5% window=5m", "'window=' needs a soak, which this version does not have");
    check("soak.coverage >= 99%", "'soak.coverage' needs a soak, which this version does not have");
    check(
        "custom.sharpness avg > 3",
        "'custom.sharpness' needs a metric command, which this version does not have",
    );
    check("errors{modle=a} < 5%", "unknown tag 'modle'; did you mean 'model'?");
    check("errors{model=a} < 5%", "the selector {model=a} matches no planned row");
    check(
        "errors{model=gpt-image-2,variants=10} < 5%",
        "the selector {model=gpt-image-2,variants=10} matches no planned row",
    );
    check("errors{model!=gpt-*} < 5%", "the selector {model!=gpt-*} matches no planned row");
    check(
        "errors{has_refs!=yes} < 5%",
        "'has_refs!=yes' matches nothing: has_refs is true or false",
    );
    check(
        "elapsed{model=gpt-image-1} < 5m",
        "'elapsed' is measured for the whole run and takes no selector",
    );
}
