//! Reports: written when a run ends, and made again from its folder.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::Sandbox;

const ASK: &str = "run rows.csv --live --provider sim --progress none";

#[test]
fn a_live_run_has_its_page_and_a_rehearsal_what_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.run("seed --out rows.csv --rows 12 --references 2").exits(0);
    let all = "--report html=a/page.html --report json=r.json --report junit=j.xml \
               --report tap=t.tap --report md=r.md --report github=-";
    let dry = sandbox.run(&format!("run rows.csv {all}")).exits(0);
    let page = sandbox.read("a/page.html");
    assert!(page.contains("BATCH-012") && page.contains("product on clean bg"), "{page}");
    assert!(sandbox.read("j.xml").contains("tests=\"14\" skipped=\"0\" failures=\"0\""));
    assert!(sandbox.read("t.tap").starts_with("TAP version 14\n1..14\nok 1 - gate: elapsed\n"));
    assert!(sandbox.read("r.md").starts_with("## imagemill: pass\n"), "{}", sandbox.read("r.md"));
    let json: Value = serde_json::from_str(&sandbox.read("r.json")).expect("JSON");
    assert_eq!((&json["schema"], &json["rows"]["ok"]), (&"imagemill.report/1".into(), &12.into()));
    assert!(!sandbox.path("out").exists() && !dry.stdout.contains("::error"), "{}", dry.stdout);

    sandbox.run(ASK).exits(0);
    let run = sandbox.only_run("out");
    let first = fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(first.contains("images/BATCH-001-v1.png"), "{first}");
    let json = fs::read_to_string(run.join("report.json")).expect("a report");
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    // Made again from the folder alone, it is the same page.
    fs::remove_file(run.join("report.html")).expect("removed");
    let ran = sandbox.run(&format!("report {id} --report json=-")).exits(0);
    assert_eq!(ran.stdout.trim_end(), json);
    sandbox.run(&format!("report {id}")).exits(0);
    let again = fs::read_to_string(run.join("report.html")).expect("a page");
    assert_eq!(again, first);
    // Elsewhere it finds its images; alone it has them.
    sandbox.run(&format!("report {id} --report html=public/a.html")).exits(0);
    let linked = sandbox.read("public/a.html");
    assert!(linked.contains(&format!("../out/{id}/images/BATCH-001-v1.png")), "{linked}");
    sandbox.run(&format!("report {id} --self-contained --report html=alone.html")).exits(0);
    let alone = sandbox.read("alone.html");
    assert!(!alone.contains("images/BATCH") && alone.contains("data:image/jpeg;base64,"));
    for (command, code) in [
        ("report nobody", 3),
        ("report", 2),
        ("run rows.csv --report pdf=x", 2),
        ("run rows.csv --report html", 2),
    ] {
        sandbox.run(command).exits(code);
    }
}

#[test]
fn a_run_that_aborts_has_its_reports_as_well() {
    let sandbox = Sandbox::new();
    sandbox.run("seed --out rows.csv").exits(0);
    let rough = "--sim refusals=30%,latency=30ms,seed=3 --concurrency 2 --report junit=j.xml \
                 --report md=r.md";
    sandbox.run(&format!("{ASK} {rough}")).exits(99);
    let run = sandbox.only_run("out");
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page.contains(">fail</span>") && page.contains("cannot pass any more"), "{page}");
    assert!(sandbox.read("j.xml").contains("<skipped"), "{}", sandbox.read("j.xml"));
    assert!(sandbox.read("r.md").contains("| errors rate |"), "{}", sandbox.read("r.md"));
    // A report that cannot be written is a warning: the result is the run's.
    sandbox.write("taken", "a file");
    let ran =
        sandbox.run(&format!("{ASK} --fresh --gate none --report junit=taken/j.xml")).exits(0);
    assert!(ran.stderr.contains("a report cannot be written"), "{}", ran.stderr);
}

#[test]
fn a_job_of_github_gets_annotations_a_summary_and_outputs() {
    let sandbox = Sandbox::with_rows(10);
    let (summary, output) = (sandbox.path("summary.md"), sandbox.path("output.txt"));
    fs::write(&output, "before=1\n").expect("a file");
    let env = [
        ("GITHUB_STEP_SUMMARY", summary.to_str().expect("a path")),
        ("GITHUB_OUTPUT", output.to_str().expect("a path")),
    ];
    let ask = "run rows.csv --sim errors=50%,seed=3 --report github";
    let ran = sandbox.run_with(&env, ask).exits(99);
    assert!(ran.stdout.contains("::error title=gate errors rate%3A fail::"), "{}", ran.stdout);
    assert!(sandbox.read("summary.md").starts_with("## imagemill: fail\n"));
    let outputs = sandbox.read("output.txt");
    assert!(outputs.starts_with("before=1\nverdict=fail\nexit=99\ncost="), "{outputs}");
}

#[test]
fn two_runs_are_held_beside_each_other() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.run(ASK).exits(0);
    let run = sandbox.only_run("out");
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    fs::copy(run.join("report.json"), sandbox.path("baseline.json")).expect("copied");
    sandbox.run(&format!("{ASK} --fresh --sim errors=40%,latency=1ms,seed=3 --gate none"));
    let table = sandbox.run(&format!("report compare baseline.json {id}")).exits(0).stdout;
    assert!(table.contains("rows ok") && table.contains("+0.0%"), "{table}");
    let json = sandbox.run(&format!("report compare baseline.json {id} --format json")).exits(0);
    let json = json.json();
    assert_eq!(json["schema"], "imagemill.comparison/1");
    assert_eq!(json["figures"][0]["one"], json["figures"][0]["other"]);
    sandbox.write("other.json", "{}");
    let ran = sandbox.run("report compare other.json baseline.json").exits(3);
    assert!(ran.stderr.contains("is no report of a run"), "{}", ran.stderr);
}

/// Who judges a finished run anew gets reports that say so.
#[test]
fn reports_say_what_the_last_call_said() {
    let sandbox = Sandbox::with_rows(3);
    sandbox.run(ASK).exits(0);
    let run = sandbox.only_run("out");
    let page = || fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page().contains(">pass</span>"));
    let strict = format!("{ASK} --gate 'cost < $0.01 abort=never' --report junit=j.xml");
    sandbox.run(&strict).exits(99);
    assert!(page().contains(">fail</span>") && sandbox.read("j.xml").contains("failures=\"1\""));
    let json = fs::read_to_string(run.join("report.json")).expect("a report");
    assert!(json.contains("\"verdict\":\"fail\""), "{json}");
}

#[test]
fn no_report_takes_the_place_of_what_is_read_or_of_what_is_no_file() {
    let sandbox = Sandbox::with_rows(3);
    let rows = sandbox.read("rows.csv");
    let ran = sandbox.run("run rows.csv --report md=./rows.csv").exits(2);
    assert!(ran.stderr.contains("would write over ./rows.csv"), "{}", ran.stderr);
    assert_eq!(sandbox.read("rows.csv"), rows);
    #[cfg(unix)]
    {
        sandbox.write("real.md", "old");
        std::os::unix::fs::symlink("real.md", sandbox.path("link.md")).expect("a link");
        sandbox.run("run rows.csv --report md=link.md --report html=/dev/null").exits(0);
        assert!(sandbox.path("link.md").is_symlink());
        assert!(sandbox.read("real.md").starts_with("## imagemill: pass"));
        assert!(!std::path::Path::new("/dev/null").is_file());
    }
}

#[test]
fn a_run_that_wants_no_page_has_one_made_later() {
    let sandbox = Sandbox::with_rows(3);
    sandbox.run(&format!("{ASK} --no-html")).exits(0);
    let run = sandbox.only_run("out");
    assert!(!run.join("report.html").exists() && run.join("report.json").is_file());
    assert!(run.join("results.csv").is_file());
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    sandbox.run(&format!("report {id}")).exits(0);
    assert!(run.join("report.html").is_file());
}
