//! The tables of the README are compared with what the code knows.

use imagemill::adapters::cost_export;
use imagemill::cli::config_file::{self, Whose};
use imagemill::cli::env_vars;
use imagemill::cli::layers::{Layers, REFRESH_COMMAND, REFS_BUCKETS, SETTINGS};
use imagemill::domain::column::Field;
use imagemill::domain::gate::metric::NAMED;
use imagemill::domain::gate::{Gate, Verdict};
use imagemill::domain::ledger::DEFAULT_LIMIT_PER_DAY;
use imagemill::domain::ledger::reconcile::Confidence;
use imagemill::domain::sim::MAGIC_WORDS;
use imagemill::exit::Exit;

use super::document;
use super::markdown::{blocks, code_words, table};

#[test]
fn exit_codes_are_those_of_the_program() {
    let rows = table(&document("README.md"), &["code", "word", "what it means, and what to do"]);
    let documented: Vec<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let real: Vec<_> = Exit::ALL
        .iter()
        .map(|exit| (exit.code().to_string(), format!("`{}`", exit.word())))
        .collect();
    assert_eq!(documented, real);
    assert!(rows.iter().all(|row| !row[2].is_empty()));
}

#[test]
fn environment_variables_are_those_that_are_read() {
    let rows = table(&document("README.md"), &["variable", "meaning"]);
    let real: Vec<_> = env_vars::ALL
        .iter()
        .map(|variable| [format!("`{}`", variable.name), variable.meaning.to_owned()])
        .collect();
    assert_eq!(rows, real);
}

#[test]
fn settings_have_their_key_variable_and_flag() {
    let rows = table(&document("README.md"), &["key", "variable", "flag", "what it sets"]);
    let documented: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row[..3].iter().map(|cell| code_words(cell).concat()).collect())
        .collect();
    let real: Vec<Vec<String>> = SETTINGS
        .iter()
        .map(|setting| vec![setting.key.to_owned(), setting.env(), setting.flag.to_owned()])
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn columns_have_their_other_names() {
    let rows = table(&document("README.md"), &["column", "other names", "what it says"]);
    let documented: Vec<Vec<String>> =
        rows.iter().map(|row| code_words(&format!("{} {}", row[0], row[1]))).collect();
    let real: Vec<Vec<String>> = Field::ALL
        .iter()
        .map(|field| field.names().iter().map(|name| (*name).to_owned()).collect())
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn columns_of_a_cost_export_have_their_usual_names() {
    let rows = table(&document("README.md"), &["field", "usual names", "what it says"]);
    let documented: Vec<Vec<String>> =
        rows.iter().map(|row| code_words(&format!("{} {}", row[0], row[1]))).collect();
    let real: Vec<Vec<String>> = cost_export::Field::ALL
        .iter()
        .map(|field| field.names().iter().map(|name| (*name).to_owned()).collect())
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn confidences_are_those_of_a_reconciliation() {
    let rows = table(&document("README.md"), &["confidence", "by what", "with `--apply`"]);
    let documented: Vec<String> = rows.iter().map(|row| code_words(&row[0]).concat()).collect();
    let real: Vec<&str> = Confidence::ALL.iter().map(|confidence| confidence.word()).collect();
    assert_eq!(documented, real);
}

#[test]
fn metrics_are_those_that_this_version_measures() {
    let rows = table(&document("README.md"), &["metric", "kind", "aggregations"]);
    let real: Vec<Vec<String>> = NAMED
        .iter()
        .filter(|metric| metric.is_measured())
        .map(|metric| {
            let words: Vec<String> =
                metric.kind().aggregations().iter().map(|word| format!("`{word}`")).collect();
            vec![format!("`{metric}`"), metric.kind().word().to_owned(), words.join(" ")]
        })
        .collect();
    assert_eq!(rows, real);
}

#[test]
fn magic_words_are_those_of_the_rehearsal_server() {
    let rows = table(&document("README.md"), &["word", "what the server does"]);
    let real: Vec<[String; 2]> = MAGIC_WORDS
        .iter()
        .map(|(word, _, meaning)| [format!("`{word}`"), (*meaning).to_owned()])
        .collect();
    assert_eq!(rows, real);
}

#[test]
fn the_config_file_of_init_is_taken_whole_once_it_is_edited() {
    use imagemill::commands::init::CONFIG;
    let mut layers = Layers::default();
    let limit = DEFAULT_LIMIT_PER_DAY.nanos();
    let apply = |text: &str, layers: &mut Layers| {
        config_file::apply(text, "init", Whose::User, limit, layers).expect("a config file")
    };
    apply(CONFIG, &mut layers);
    assert!(SETTINGS.iter().all(|setting| layers.get(*setting).is_none()), "it changes nothing");
    let is_setting = |line: &&str| line.starts_with("# ") && line.contains(" = ");
    let edited: String =
        CONFIG.lines().filter(is_setting).map(|line| format!("{}\n", &line[2..])).collect();
    let config = apply(&edited, &mut layers);
    assert!(edited.lines().count() >= 10, "{edited}");
    for gate in config.gates.expect("gates") {
        Gate::parse(&gate).expect("a gate");
    }
}

#[test]
fn verdicts_have_the_words_of_the_gate_table() {
    let rows = table(&document("README.md"), &["verdict", "meaning"]);
    let documented: Vec<String> = rows.iter().map(|row| code_words(&row[0]).concat()).collect();
    let real =
        [Verdict::Pass, Verdict::WeakPass, Verdict::Inconclusive, Verdict::NoData, Verdict::Fail];
    assert_eq!(documented, real.map(Verdict::table_word));
}

#[test]
fn the_config_file_of_the_readme_is_taken_whole() {
    let readme = document("README.md");
    let blocks = blocks(&readme);
    let toml: Vec<_> = blocks.iter().filter(|block| block.language == "toml").collect();
    // The other one is the user's own, with what a project cannot say.
    let is_projects = |text: &str| text.starts_with("# imagemill.toml\n");
    let (toml, own): (Vec<_>, Vec<_>) =
        toml.into_iter().partition(|block| is_projects(&block.text));
    assert_eq!((toml.len(), own.len()), (1, 1));
    let mut own_layers = Layers::default();
    config_file::apply(&own[0].text, "README", Whose::User, 0, &mut own_layers).expect("a file");
    assert!(own_layers.get(REFS_BUCKETS).is_some() && own_layers.get(REFRESH_COMMAND).is_some());
    let mut layers = Layers::default();
    let trusted = DEFAULT_LIMIT_PER_DAY.nanos();
    let config = config_file::apply(&toml[0].text, "README", Whose::Project, trusted, &mut layers)
        .expect("a config file");
    assert_eq!(config.distrusted, [""; 0]);
    for gate in config.gates.expect("gates") {
        Gate::parse(&gate).expect("a gate");
    }
    for setting in
        SETTINGS.iter().filter(|setting| toml[0].text.contains(&format!("{} =", setting.key)))
    {
        assert!(layers.get(*setting).is_some_and(|it| !it.text.is_empty()), "{}", setting.key);
    }
}
