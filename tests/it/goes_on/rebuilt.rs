//! Paid answers that nobody could read are kept, and an image is made of what can be read later.

use std::fs;
use std::path::PathBuf;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

fn ask(server: &SimServer, more: &str) -> String {
    format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --gate none --progress none --paid-retries 0 {more}",
        server.base_url()
    )
}

fn raw(run: &std::path::Path) -> Vec<PathBuf> {
    let files = fs::read_dir(run.join("raw")).expect("a folder");
    let mut files: Vec<_> = files.map(|it| it.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn what_can_be_read_later_is_taken_from_what_was_kept_and_is_not_bought_again() {
    let sandbox = Sandbox::new();
    sandbox
        .write("rows.csv", "scene_id,prompt\nA,[sim:odd-shape] x\nB,[sim:not-an-image] y\nC,z\n");
    let server = SimServer::start("--sim latency=1ms");
    let ran = sandbox.run(&ask(&server, "")).exits(0);
    assert!(ran.stdout.contains("rows=1/3 images=1/3"), "{}", ran.stdout);
    let run = sandbox.only_run("out");
    let kept = raw(&run);
    assert_eq!(kept.len(), 2, "{kept:?}");
    let before = kept.iter().map(|it| fs::read(it).expect("a file")).collect::<Vec<_>>();
    let plan = sandbox.run(&ask(&server, "--plan-only")).exits(0);
    assert!(plan.stdout.contains("1 image made out of what is kept under raw/"), "{}", plan.stdout);
    assert!(!run.join("images/A-v1.png").exists(), "a plan writes nothing");
    let ran = sandbox.run(&ask(&server, "")).exits(0);
    assert!(ran.stdout.contains("rows=2/3 images=2/3"), "{}", ran.stdout);
    let sidecar = fs::read_to_string(run.join("images/A-v1.json")).expect("a sidecar");
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).expect("JSON");
    let image = fs::read(run.join("images/A-v1.png")).expect("an image");
    let digest = imagemill::domain::digest::Sha256Digest::of(&image);
    assert_eq!(sidecar["sha256"], digest.to_string());
    assert_ne!(sidecar["amount"], "0.00", "it was paid for");
    // Somebody turns the other answer into a picture by hand, in its place.
    let other = kept.iter().find(|path| path.to_string_lossy().contains("B-v1")).expect("one");
    fs::copy(run.join("images/C-v1.png"), other).expect("a copy");
    let ran = sandbox.run(&ask(&server, "")).exits(0);
    assert!(ran.stdout.contains("rows=3/3 images=3/3"), "{}", ran.stdout);
    assert_eq!(fs::read(&kept[0]).expect("a file"), before[0], "what was kept stays");
    assert_eq!(server.bill().client_request_ids().len(), 3, "each was bought once");
    sandbox.run(&format!("ledger check --ledger {}", run.join("ledger").display())).exits(0);
    let again = sandbox.run(&ask(&server, "")).exits(0);
    assert!(again.stdout.contains("3 rows done; 0 images to make now"), "{}", again.stdout);
}

#[test]
fn an_image_without_a_word_of_it_is_known_by_the_name_that_was_meant_when_it_was_sent() {
    let sandbox = Sandbox::new();
    let live = "run rows.csv --live --provider sim --gate none --progress none";
    sandbox.write("rows.csv", "scene_id,prompt\nA,a cow\nB,a hen\nC,a pig\n");
    sandbox.run(&format!("{live} --name 'in/{{row}}-{{sha256:8}}'")).exits(0);
    let run = sandbox.only_run("out");
    // As after a kill between the names of the images and all that is told of them.
    let journal = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    let words = ["image_stored", "row_finished", "run_finished"];
    let is_told = |line: &str| words.iter().any(|word| line.contains(word));
    let lines: Vec<&str> = journal.lines().filter(|line| !is_told(line)).collect();
    fs::write(run.join("journal.jsonl"), lines.join("\n") + "\n").expect("a journal");
    let mut images = Vec::new();
    for entry in fs::read_dir(run.join("images/in")).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.extension().is_some_and(|it| it == "json") {
            true => fs::remove_file(path).expect("a sidecar"),
            false => images.push(path),
        }
    }
    images.sort();
    // Rows stand elsewhere by now, and the template is another one.
    sandbox.write("rows.csv", "scene_id,prompt\nN,a dog\nA,a cow\nB,a hen\nC,a pig\n");
    let ran = sandbox.run(&format!("{live} --name new-{{row}}")).exits(0);
    assert!(ran.stdout.contains("rows=4/4 images=4/4 cost=$0.16"), "{}", ran.stdout);
    for (image, row) in images.iter().zip(["A", "B", "C"]) {
        let sidecar = fs::read_to_string(image.with_extension("json")).expect("a sidecar");
        assert!(sidecar.contains(&format!("\"scene_id\": \"{row}\"")), "{image:?}: {sidecar}");
    }
    assert!(run.join("images/new-1.png").is_file());
}
