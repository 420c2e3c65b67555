//! What time the provider says it is: it can stop a run whose clock is ahead, and nothing else.

use crate::support::sandbox::Sandbox;
use crate::wire::raw::{Act, PIXEL, RawServer, answer};

/// Runs three rows, one at a time, against a server that says this date; returns what was said,
/// and how many requests there were.
fn run(date: &'static str, exit: i32) -> (String, usize) {
    let sandbox = Sandbox::with_rows(3);
    let body = format!("{{\"data\":[{{\"b64_json\":\"{PIXEL}\"}}]}}");
    let server = RawServer::start(move |_, _| Act::Send(answer("200 OK", date, &body)));
    let base = server.base_url();
    let ran = sandbox.run_with(
        &[("MY_KEY", "sk-dates0key1")],
        &format!(
            "run rows.csv --live --provider openai --model gpt-image-2 --quality low --yes \
             --gate none --concurrency 1 --progress plain --ledger l --base-url {base} \
             --api-key-env MY_KEY"
        ),
    );
    let ran = ran.exits(exit);
    sandbox.run("ledger check --ledger l").exits(0);
    (ran.everything(), server.requests().len())
}

#[test]
fn a_provider_that_is_days_behind_stops_the_run_and_both_times_are_named() {
    let (said, n_requests) = run("Date: Fri, 06 Nov 2020 08:49:37 GMT\r\n", 75);
    assert_eq!(n_requests, 1, "{said}");
    assert!(said.contains("this machine's clock said 20"), "{said}");
    assert!(said.contains("the provider's answer says that it is 2020-11-06T08:49:37Z"), "{said}");
}

#[test]
fn a_provider_that_is_ahead_or_says_no_date_changes_nothing() {
    for date in ["Date: Fri, 06 Nov 2093 08:49:37 GMT\r\n", "Date: yesterday\r\n", ""] {
        let (said, n_requests) = run(date, 0);
        assert_eq!(n_requests, 3, "{date}: {said}");
    }
}
