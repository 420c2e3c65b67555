//! What images are called, and what a look at them tells.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

const LIVE: &str = "run rows.csv --live --provider sim --gate none --progress none";

/// The images below a folder, relative to it, in their order.
fn images(run: &Path) -> Vec<String> {
    fn walk(folder: &Path, below: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, below, found);
            } else if path.extension().is_some_and(|it| it == "png") {
                assert!(path.with_extension("json").is_file(), "a sidecar: {path:?}");
                let name = path.strip_prefix(below).expect("below").display().to_string();
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(&run.join("images"), run, &mut found);
    found.sort();
    found
}

#[test]
fn flaws_of_images_are_facts_for_gates_and_reports_and_no_image_is_dropped() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rows.csv",
        "scene_id,prompt,n\nA,a cow,2\nB,[sim:blank] a,1\nC,[sim:small] b,1\n\
         D,[sim:cut-off] c,1\nE,[sim:twin] d,3\n",
    );
    let server = SimServer::start("--sim latency=1ms");
    let ask = format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --gates-only --progress none --report json=-",
        server.base_url()
    );
    let gates = ["images.invalid count == 2", "images.blank count == 1", "images.duplicate == 25%"];
    let gates: String = gates.iter().map(|gate| format!(" --gate '{gate}'")).collect();
    let ask = ask + &gates;
    let ran = sandbox.run(&ask).exits(0);
    let told = "Look at: images.invalid 2 (no image, or of another size than asked for), \
                images.blank 1 (showing nothing), images.duplicate 2 (like another one of their \
                row)";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(
        ran.stdout.contains(r#""images":{"expected":8,"stored":8,"invalid":2,"blank":1,"#),
        "{}",
        ran.stdout
    );
    let run = sandbox.only_run("out");
    assert_eq!(images(&run).len(), 8, "all are paid, and all are kept");
    let sidecar = |name: &str| fs::read_to_string(run.join("images").join(name)).expect("a file");
    assert!(sidecar("C-v1.json").contains("\"wrong-size\""));
    assert!(sidecar("D-v1.json").contains("\"undecodable\""));
    assert!(sidecar("A-v1.json").contains("\"flaws\": []"));
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    for note in ["wrong size", "undecodable", "blank", "like v1"] {
        assert!(page.contains(&format!("\"notes\":[\"{note}\"")), "{note}");
    }
    let again = sandbox.run(&ask).exits(0);
    assert!(again.stdout.contains(told), "it is known when the run goes on: {}", again.stdout);
    let n_billed = server.bill().client_request_ids().len();
    assert_eq!(n_billed, 8, "no flaw is a reason to buy again");
}

#[test]
fn names_come_from_a_template_and_the_run_goes_on_with_them() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rows.csv",
        "scene_id,prompt,n,Shoe Color\nA,A red shoe!,2,dark/red\nB,../../etc/passwd,1,CON\n",
    );
    let name = "{col:Shoe Color}/{prompt:slug:12}-{scene_id}.{variant}-{sha256:8}.{ext}";
    let ask = format!("{LIVE} --name '{name}'");
    let ran = sandbox.run(&ask).exits(0);
    assert!(ran.stdout.contains("/images/{col:Shoe Color}/{prompt:slug:12}-"), "{}", ran.stdout);
    let run = sandbox.only_run("out");
    let made = images(&run);
    assert_eq!(made.len(), 3);
    assert!(made[0].starts_with("images/_CON/etc-passwd-B.1-"), "{made:?}");
    assert!(made[1].starts_with("images/dark-red/a-red-shoe-A.1-"), "{made:?}");
    let results = fs::read_to_string(run.join("results.csv")).expect("a table");
    assert!(made.iter().all(|name| results.contains(name.as_str())), "{results}");
    let again = sandbox.run(&ask).exits(0);
    assert!(again.stdout.contains("2 rows done; 0 images to make now"), "{}", again.stdout);
    // Another template names what is made from now on, and leaves what is there.
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,A red shoe!,2\nC,a hat,1\n");
    let ran = sandbox.run(&format!("{LIVE} --name {{scene_id}}_{{variant}}")).exits(0);
    assert!(ran.stdout.contains("1 image to make now"), "{}", ran.stdout);
    assert_eq!(images(&run)[0], "images/C_1.png");
    assert_eq!(images(&run)[1..], made);
}

#[test]
fn two_images_of_one_name_are_found_before_anything_is_made() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,n,color\nA,a shoe,2,Red\nB,a hat,1,red\n");
    let check = |template: &str, told: &[&str]| {
        for command in ["name-test rows.csv", LIVE, "run rows.csv --gate none"] {
            let ran = sandbox.run(&format!("{command} --name '{template}'")).exits(3);
            told.iter().for_each(|told| assert!(ran.stderr.contains(told), "{}", ran.stderr));
        }
    };
    check(
        "{color}-{variant}",
        &["the same name, ", "image 1 of row 1 (A), and image 1 of row 2 (B)", "{scene_id} and"],
    );
    check("{scene_id}", &["image 1 of row 1 (A), and image 2 of row 1 (A)"]);
    // The same picture for two rows would be one file.
    check("{sha256}", &["the same name, 000000000000: image 1 of row 1 (A)"]);
    check("{scene_id}-{variant}-{colour}", &["no row has a column \"colour\"", "mean {color}?"]);
    check("{scene id}/{variant}", &["no row has a column \"scene id\"", "mean {scene_id}?"]);
    assert!(!sandbox.path("out").exists(), "nothing was made");
    let ran = sandbox.run("name-test rows.csv --name ../{scene_id}").exits(2);
    assert!(ran.stderr.contains("has no name of its own"), "{}", ran.stderr);
}

#[test]
fn name_test_shows_the_names_of_the_first_rows() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,a shoe,2\nB,a hat,1\nC,a cow,1\n");
    let ask = "name-test rows.csv --name {model}/{scene_id}-{variant} --show 2";
    let ran = sandbox.run(ask).exits(0);
    assert_eq!(
        ran.stdout,
        "Template  {model}/{scene_id}-{variant}\n\
         row 1 (A) image 1  images/sim-1/A-1.EXT\n\
         row 1 (A) image 2  images/sim-1/A-2.EXT\n\
         row 2 (B) image 1  images/sim-1/B-1.EXT\n\
         4 images of 3 rows: every name is another one; EXT is png, jpg or webp, as the image's \
         bytes say\n"
    );
    assert!(!sandbox.path("out").exists());
}

#[test]
fn a_row_that_gets_an_image_of_another_kind_leaves_the_sidecar_of_the_first() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt\nA,a cow\nB,a pig\n");
    sandbox.run(LIVE).exits(0);
    let run = sandbox.only_run("out");
    let first = fs::read(run.join("images/A-v1.json")).expect("a sidecar");
    // As if the first image had been of another kind.
    fs::rename(run.join("images/A-v1.png"), run.join("images/A-v1.webp")).expect("a name");
    sandbox.write("rows.csv", "scene_id,prompt\nA,a hen\nB,a pig\n");
    sandbox.run(LIVE).exits(0);
    assert_eq!(fs::read(run.join("images/A-v1.json")).expect("a sidecar"), first);
    assert!(!run.join("images/A-v1.png").exists(), "its name is taken");
    assert_eq!(images(&run).len(), 2);
}

#[test]
fn gates_on_looks_need_a_look_and_do_not_stop_a_run() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,[sim:blank] a,1\nB,b,1\nC,c,1\n");
    let server = SimServer::start("--sim latency=1ms");
    let ask = format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --progress none --concurrency 1 --gate 'images.blank == 0'",
        server.base_url()
    );
    let refused = sandbox.run(&format!("{ask} --no-image-checks")).exits(3);
    assert!(refused.stderr.contains("needs a look at the images"), "{}", refused.stderr);
    let ran = sandbox.run(&ask).exits(99);
    assert!(ran.stdout.contains("rows=3/3 images=3/3"), "{}", ran.stdout);
}
