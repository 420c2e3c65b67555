//! What a run that goes on must never do: mistake another run, another ledger or another file for
//! its own, or lose what was told of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::sandbox::Sandbox;

const ASK: &str = "run rows.csv --live --provider sim --gate none --progress none";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

/// Without the line breaks of the terminal.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn id(run: &Path) -> String {
    run.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn another_ledger_is_refused_before_anything_is_bought() {
    let sandbox = Sandbox::with_rows(6);
    sandbox.run(&format!("{ASK} --canary 33 --ledger mine")).exits(0).result_has(&["rows=2/6"]);
    let run = id(&sandbox.only_run("out"));
    let resume = format!("run --resume {run} --live --canary 100 --gate none --progress none");
    let ask = format!("{ASK} --canary 100");
    for command in
        [&format!("{ask} --ledger other"), &format!("{resume} --ledger other"), &ask, &resume]
    {
        let ran = sandbox.run(command).exits(3);
        assert!(ran.stderr.contains("/mine"), "it says which: {}", ran.stderr);
        assert!(ran.stderr.contains("books into another ledger"), "{command}: {}", ran.stderr);
    }
    let made = "run more.csv --live --provider sim --gate none --progress none --ledger other";
    sandbox.write("more.csv", "id,prompt\nX,an ox\n");
    sandbox.run(made).exits(0);
    let ran = sandbox.run(&format!("{ask} --ledger other")).exits(3);
    assert!(ran.stderr.contains("books into another ledger"), "{}", ran.stderr);
    // Not even when the journal has lost everything: the images say so.
    let journal = sandbox.path("out").join(&run).join("journal.jsonl");
    let kept = fs::read(&journal).expect("a journal");
    fs::write(&journal, "").expect("a journal");
    let ran = sandbox.run(&format!("{ask} --ledger other")).exits(3);
    assert!(ran.stderr.contains("books into another ledger"), "{}", ran.stderr);
    fs::write(&journal, kept).expect("a journal");
    let ran = sandbox.run(&format!("{resume} --ledger mine")).exits(0);
    ran.result_has(&["rows=6/6", "images=6/6", "cost=$0.24"]);
}

#[test]
fn a_copy_of_a_run_is_not_gone_on_with() {
    let sandbox = Sandbox::with_rows(3);
    sandbox.run(ASK).exits(0).result_has(&["cost=$0.12"]);
    let run = sandbox.only_run("out");
    copy(&run, &sandbox.path("out").join("zz-copy"));
    fs::write(sandbox.path("out/zz-copy/journal.jsonl"), "").expect("a journal");
    let again = sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "cost=$0.12"]);
    assert!(again.stdout.contains(&id(&run)), "{}", again.stdout);
    copy(&run, &sandbox.path("out/aa-copy"));
    let resume = "run rows.csv --resume out/aa-copy --live --provider sim --progress none";
    let ran = sandbox.run(resume).exits(3);
    assert!(ran.stderr.contains("is a copy of"), "{}", ran.stderr);
}

/// A folder that was renamed, or moved elsewhere, or is led to by a link, is the run itself.
#[test]
fn a_run_whose_folder_was_renamed_goes_on() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.run(&format!("{ASK} --canary 50")).exits(0).result_has(&["rows=2/4"]);
    let run = sandbox.only_run("out");
    let summer = sandbox.path("out/summer");
    fs::rename(&run, &summer).expect("renamed");
    let whole = sandbox.run(&format!("{ASK} --canary 100")).exits(0);
    let whole = whole.result_has(&["rows=4/4", "images=4/4", "cost=$0.16"]);
    assert!(whole.stdout.contains("out/summer"), "{}", whole.stdout);
    assert_eq!(sandbox.only_run("out"), summer);
    #[cfg(unix)]
    std::os::unix::fs::symlink("out/summer", sandbox.path("latest")).expect("a link");
    #[cfg(unix)]
    sandbox.run(&format!("{ASK} --resume ./latest")).exits(0).result_has(&["cost=$0.16"]);
    sandbox.run(&format!("{ASK} --resume summer")).exits(0).result_has(&["cost=$0.16"]);
    fs::remove_file(summer.join("journal.jsonl")).expect("removed");
    let ran = sandbox.run(ASK).exits(3);
    assert!(ran.stderr.contains("give the folder its name back"), "{}", ran.stderr);
    fs::rename(&summer, &run).expect("renamed");
    sandbox.run(ASK).exits(0).result_has(&["rows=4/4", "images=4/4", "cost=$0.16"]);
}

#[test]
fn another_batch_in_a_file_of_the_same_name_does_not_ask_for_the_ledger_of_the_first() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt\nA,a cat\n");
    sandbox.run(&format!("{ASK} --ledger first")).exits(0);
    sandbox.write("rows.csv", "id,prompt\nX,an ox\n");
    sandbox.run(&format!("{ASK} --ledger second")).exits(0).result_has(&["rows=1/1"]);
    // These have a row of the second run.
    sandbox.write("rows.csv", "id,prompt\nX,an ox\nY,a yak\n");
    let ran = sandbox.run(&format!("{ASK} --ledger first")).exits(3);
    assert!(ran.stderr.contains("books into another ledger"), "{}", ran.stderr);
}

/// Nothing is left of the ledger: whoever names the run goes on, and nothing becomes free.
#[test]
fn a_named_run_goes_on_although_its_ledger_is_lost() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.run(&format!("{ASK} --canary 50 --ledger mine")).exits(0).result_has(&["rows=2/4"]);
    fs::remove_dir_all(sandbox.path("mine")).expect("removed");
    let ask = format!("{ASK} --canary 100 --ledger mine");
    let ran = sandbox.run(&ask).exits(3);
    assert!(ran.stderr.contains("--resume RUN goes on without it"), "{}", ran.stderr);
    let run = id(&sandbox.only_run("out"));
    let ran = sandbox.run(&format!("{ask} --resume {run}")).exits(0);
    ran.result_has(&["rows=4/4", "images=4/4", "cost=$0.16"]);
}

#[test]
fn the_first_command_goes_on_although_the_run_went_on_with_other_rows() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt\nA,a cat\nB,a dog\n");
    sandbox.write("other.csv", "id,prompt\nA,a cat\nB,a dog\nC,a cow\n");
    sandbox.run(ASK).exits(0).result_has(&["rows=2/2", "cost=$0.08"]);
    let run = id(&sandbox.only_run("out"));
    let other = ASK.replace("rows.csv", "other.csv");
    sandbox.run(&format!("{other} --resume {run}")).exits(0).result_has(&["cost=$0.12"]);
    sandbox.run(ASK).exits(0).result_has(&["rows=2/2", "cost=$0.12"]);
    // However the file is called, an edit of it is an edit.
    sandbox.write("rows.csv", "id,prompt\nA,a cat\nB,a red dog\n");
    let spelled = ASK.replace("rows.csv", "./rows.csv");
    let ran = sandbox.run(&spelled).exits(0).result_has(&["rows=2/2", "cost=$0.16"]);
    assert!(ran.stdout.contains("1 changed; 1 image to make now"), "{}", ran.stdout);
    sandbox.only_run("out");
}

#[test]
fn a_plan_of_old_that_does_not_say_what_it_asks_for_is_resumed_by_its_rows() {
    let sandbox = Sandbox::with_rows(3);
    sandbox.run(ASK).exits(0).result_has(&["cost=$0.12"]);
    let run = sandbox.only_run("out");
    let text = fs::read_to_string(run.join("plan.json")).expect("a plan");
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("\"request\":")).collect();
    assert_eq!(kept.len() + 1, text.lines().count());
    fs::write(run.join("plan.json"), kept.join("\n")).expect("a plan");
    let resume = format!("{ASK} --resume {}", id(&run));
    sandbox.run(&resume).exits(0).result_has(&["rows=3/3", "cost=$0.12"]);
}

#[test]
fn bad_rows_that_were_mended_where_they_lie_are_never_written_over() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt,n\nA,a cat,1\nB,a dog,99\nC,a cow,0\n");
    let skip = format!("{ASK} --on-bad-row skip");
    sandbox.run(&skip).exits(0).result_has(&["rows=1/3"]);
    let run = sandbox.only_run("out");
    let rejected = run.join("rejected.csv");
    let listed = fs::read_to_string(&rejected).expect("bad rows");
    // Once more: the same rows are bad, and nothing is left beside the run.
    sandbox.run(&skip).exits(0).result_has(&["rows=1/3"]);
    assert_eq!(fs::read_to_string(&rejected).expect("bad rows"), listed);
    let names = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
        names.sort();
        names
    };
    let stray = names(&sandbox.path("out"));
    assert!(!stray.iter().any(|it| it.to_string_lossy().contains(".rejected")), "{stray:?}");
    // One is mended in place, and fed to the run that it is of.
    let mended = listed.replace(",99,", ",1,");
    assert_ne!(mended, listed);
    fs::write(&rejected, &mended).expect("mended");
    let fed = format!("out/{}/rejected.csv", id(&run));
    let ask = skip.replace("rows.csv", &fed);
    sandbox.run(&format!("{ask} --resume {}", id(&run))).exits(0).result_has(&["cost=$0.08"]);
    assert_eq!(fs::read_to_string(&rejected).expect("mended"), mended, "it is as it was");
    let second = fs::read_to_string(run.join("rejected-1.csv")).expect("what is bad still");
    assert!(second.contains("C,a cow,0") && !second.contains("B,a dog"), "{second}");
    // Another process that goes on keeps what a person may be at.
    sandbox.write("rows.csv", "id,prompt,n\nA,a cat,1\nD,a hen,1\nC,a cow,0\n");
    sandbox.run(&skip).exits(0).result_has(&["cost=$0.12"]);
    let kept: Vec<String> = names(&run)
        .iter()
        .filter(|it| it.to_string_lossy().contains("rejected"))
        .map(|it| fs::read_to_string(it).expect("rows"))
        .collect();
    assert!(kept.contains(&mended), "{kept:?}");
}

#[test]
fn a_stored_image_that_is_gone_is_named_and_not_bought_again() {
    let sandbox = Sandbox::with_rows(3);
    sandbox.run(ASK).exits(0).result_has(&["cost=$0.12"]);
    let images = sandbox.only_run("out").join("images");
    let names = fs::read_dir(images).expect("images").map(|it| it.expect("an entry").path());
    let image = names.filter(|it| it.extension().is_some_and(|it| it == "png")).min();
    let image = image.expect("an image");
    fs::remove_file(&image).expect("removed");
    let ran = sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "cost=$0.12"]);
    let name = image.file_name().expect("a name").to_string_lossy();
    let told = format!("1 stored image gone from the run's folder, images/{name} first");
    assert!(one_line(&ran.stdout).contains(&told), "{}", ran.stdout);
}

#[test]
fn selectors_of_gates_see_rows_that_are_done() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt,size\nA,a cat,1024x1024\nB,a dog,512x512\n");
    let ask = format!("{} --gate 'errors{{size=512x512}} < 5%'", ASK.replace(" --gate none", ""));
    sandbox.run(&ask).exits(0).result_has(&["rows=2/2"]);
    sandbox.run(&ask).exits(0).result_has(&["rows=2/2", "cost=$0.08"]);
    sandbox.write(
        "rows.csv",
        "id,prompt,size\nA,a cat,1024x1024\nB,a dog,512x512\nC,a cow,1024x1024\n",
    );
    sandbox.run(&ask).exits(0).result_has(&["rows=3/3", "cost=$0.12"]);
}

#[test]
fn a_new_row_stays_new_until_something_was_made_of_it() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt\nA,a cat\n");
    sandbox.run(ASK).exits(0).result_has(&["cost=$0.04"]);
    sandbox.write("rows.csv", "id,prompt\nA,a cat\nB,a dog\nC,a cow\n");
    // Nothing of them is made: the first image of three is all that fits.
    let held = format!("{ASK} --only new --limit-per-run 0.08 --fit-budget");
    sandbox.run(&held).exits(0).result_has(&["rows=2/3", "cost=$0.08"]);
    let plan = sandbox.run(&format!("{ASK} --only new --plan-only")).exits(0);
    assert!(plan.stdout.contains("1 added; 1 image to make now"), "{}", plan.stdout);
    sandbox.run(&format!("{ASK} --only new")).exits(0).result_has(&["rows=3/3", "cost=$0.12"]);
}

#[test]
fn the_plan_counts_only_what_a_budget_lets_through() {
    let sandbox = Sandbox::with_rows(12);
    let rough = "--sim drops=40%,seed=2 --paid-retries 0 --format json";
    let first = sandbox.run(&format!("{ASK} {rough}")).exits(0).report();
    let n_unknown = first["rows"]["unknown"].as_u64().expect("a number");
    assert!(n_unknown > 2, "{first}");
    let spent = "0.52";
    let ask = format!(
        "{ASK} --sim drops=0%,seed=3 --only unknown --paid-retry-on all --paid-retries 100% \
         --limit-per-run {spent} --fit-budget"
    );
    let plan = sandbox.run(&format!("{ask} --plan-only")).exits(0);
    let told = "1 image to make now, 1 of them bought again";
    assert!(one_line(&plan.stdout).contains(told), "{}", plan.stdout);
    let report = sandbox.run(&format!("{ask} --format json")).report();
    assert_eq!(report["attempts"], first["attempts"].as_u64().expect("a number") + 1, "{report}");
}

#[test]
fn two_folders_of_one_run_are_both_named() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.run(&format!("{ASK} --canary 50")).exits(0).result_has(&["rows=2/4"]);
    let (run, kept) = (sandbox.only_run("out"), sandbox.path("out/final"));
    fs::rename(&run, &kept).expect("renamed");
    copy(&kept, &sandbox.path("out/zz-backup"));
    let ran = sandbox.run(ASK).exits(3);
    for told in ["final", "zz-backup", "hold the same run"] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    sandbox
        .run(&format!("{ASK} --canary 100 --resume out/final"))
        .exits(0)
        .result_has(&["rows=4/4"]);
}

/// The ledger was lost, and others have begun a new one in its place.
#[test]
fn a_named_run_goes_on_where_its_ledger_was_made_anew() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.run(&format!("{ASK} --canary 50 --ledger mine")).exits(0).result_has(&["rows=2/4"]);
    let run = id(&sandbox.only_run("out"));
    fs::remove_dir_all(sandbox.path("mine")).expect("removed");
    sandbox.write("more.csv", "id,prompt\nX,an ox\n");
    let more = "run more.csv --live --provider sim --gate none --progress none --ledger mine";
    sandbox.run(more).exits(0);
    let ask = format!("{ASK} --canary 100 --ledger mine --resume {run}");
    sandbox.run(&ask).exits(0).result_has(&["rows=4/4", "cost=$0.16"]);
}
