//! Inputs as a whole: their encodings, their columns, what is no input at all.

use crate::support::sandbox::Sandbox;

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// What is said of an input that cannot be used.
fn refused(name: &str, bytes: impl AsRef<[u8]>, exit: i32) -> String {
    let sandbox = Sandbox::new();
    sandbox.write(name, bytes);
    let before = sandbox.files();
    let ran = sandbox.run(&format!("run {name}")).exits(exit);
    assert!(ran.last_line().contains(&format!(" exit={exit} ")), "{}", ran.stdout);
    assert!(sandbox.files() == before);
    ran.stderr
}

#[test]
fn a_misspelt_column_is_named() {
    let said = refused("rows.csv", "scene_id,promt\na,b\n", 3);
    insta::assert_snapshot!(said);
}

#[test]
fn utf_16_is_named_for_what_it_is() {
    for little in [true, false] {
        let said = refused("rows.csv", utf16("scene_id,prompt\na,b\n", little), 3);
        assert!(said.starts_with("error[input.utf16]: rows.csv is UTF-16 text"), "{said}");
        assert!(said.contains("\nfix: save it as UTF-8"), "{said}");
    }
}

#[test]
fn invalid_bytes_are_placed() {
    let said = refused("rows.csv", b"scene_id,prompt\na,ok\nb,\xff\xfe\n", 3);
    assert!(said.contains("error[row.utf8]"), "{said}");
    assert!(said.contains("rows.csv:3:3   row 2, column prompt"), "{said}");
}

#[test]
fn an_unclosed_quote_is_found_where_it_opens() {
    let said = refused("rows.csv", "scene_id,prompt\na,b\nc,\"d\ne,f\n", 3);
    insta::assert_snapshot!(said);
}

#[test]
fn marks_line_ends_and_aliases_are_read_as_meant() {
    let check = |name: &str, text: &str, expect: &str| {
        let sandbox = Sandbox::new();
        sandbox.write(name, text);
        sandbox.run(&format!("run {name}")).exits(0).result_has(&[expect]);
    };
    check("r.csv", "\u{feff}scene_id,prompt\r\na,b\r\n", "rows=1/1 images=1/1");
    check("r.csv", "ID,Prompt,N\na,\"two\nlines, \"\"q\"\"\",3", "rows=1/1 images=3/3");
    check("r.tsv", "key\tprompt\na\tb, c\n", "rows=1/1 images=1/1");
    check(
        "r.json",
        "\u{feff} [ {\"custom_id\":\"a\",\"prompt\":\"b\",\"variants\":2} ] ",
        "images=2/2",
    );
    check("r.jsonl", "{\"prompt\":\"a\"}\n\n{\"prompt\":\"b\"}\r\n", "rows=2/2 images=2/2");
    check("rows", "scene_id,prompt\na,b\n", "rows=1/1");
}

#[test]
fn no_rows_is_an_exit_of_its_own() {
    for (name, text) in
        [("r.csv", ""), ("r.csv", "scene_id,prompt\n"), ("r.json", "[]"), ("r.jsonl", "\n")]
    {
        refused(name, text, 4);
    }
    Sandbox::new().run_fed("run -", b"").exits(4).result_has(&["no-rows exit=4"]);
    let sandbox = Sandbox::new();
    sandbox.write("r.csv", "scene_id,prompt\n");
    sandbox.run("run r.csv --live --provider sim").exits(4);
    assert!(!sandbox.path("out").exists());
    assert_eq!(sandbox.run("run r.csv --format json").exits(4).report()["verdict"], "no-rows");
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("run nope.csv").exits(3).result_has(&["invalid exit=3"]);
    assert!(
        ran.stderr.starts_with("error: failed to open nope.csv: No such file"),
        "{}",
        ran.stderr
    );
    std::fs::create_dir(sandbox.path("rows")).expect("a folder");
    let ran = sandbox.run("run rows").exits(3);
    assert!(ran.stderr.contains("rows is a folder"), "{}", ran.stderr);
}

#[test]
fn standard_input_is_sniffed_or_told() {
    let sandbox = Sandbox::new();
    for (args, rows) in [
        ("run -", "scene_id,prompt\na,b\n"),
        ("run -", "[{\"id\":\"a\",\"prompt\":\"b\"}]"),
        ("run -", "{\"id\":\"a\",\"prompt\":\"b\"}\n"),
        ("run - --input-format tsv", "id\tprompt\na\tb\n"),
    ] {
        sandbox.run_fed(args, rows.as_bytes()).exits(0).result_has(&["rows=1/1"]);
    }
    let ran = sandbox.run_fed("run -", b"id,prompt,n\na,b,x\n").exits(3);
    assert!(ran.stderr.contains(" --> <stdin>:2:5 "), "{}", ran.stderr);
}

#[test]
fn hostile_sizes_are_refused_with_their_place() {
    let long = format!("{{\"prompt\":\"{}\"}}\n", "x".repeat(2 << 20));
    let said = refused("r.jsonl", format!("{{\"prompt\":\"a\"}}\n{long}"), 3);
    assert!(said.contains("r.jsonl:2:") && said.len() < 2_000, "{said}");
    let wide = format!("prompt,{}\nx\n", vec!["c"; 100_000].join(","));
    let said = refused("r.csv", wide, 3);
    assert!(said.contains("column") && said.len() < 2_000, "{said}");
    let deep = format!("{{\"prompt\":\"a\",\"x\":{}1{}}}\n", "[".repeat(5_000), "]".repeat(5_000));
    let said = refused("r.jsonl", deep, 3);
    assert!(said.contains("r.jsonl:1:") && said.len() < 2_000, "{said}");
}
