use jiff::civil::{Date, date};

use super::*;
use crate::report::tables::Lines;

const TODAY: Date = date(2026, 11, 24);

fn look() -> TableLook {
    TableLook { width: 100, lines: Lines::Ascii }
}

fn ask<'a>(provider: &'a str, model: &'a str) -> PriceAsk<'a> {
    PriceAsk { provider, model, size: None, quality: None, n_input_images: 0 }
}

fn lines(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[test]
fn the_list_names_every_model_and_its_state() {
    let book = PriceBook::embedded();
    let list = PriceList::of(&book, None, TODAY).expect("all");
    let text = list.text(look());
    let lines = lines(&text);
    let has = |line: &str| assert!(lines.iter().any(|known| known == line), "{line} in\n{text}");
    has("| sim | sim-1 | 0.04 | 0.04 | default |");
    has("| openai | dall-e-2 | | | retired 2026-05-12 |");
    has("| openai | gpt-image-2.6-flare | | | no price known |");
    has("| openai | gpt-image-1-mini | 0.005-0.015 | 0.0225 | retires 2026-12-01 |");
    has("| openai | gpt-image-2.5-sunburst-2026-09-08 | 0.00588-0.21072 | 0.31608 | |");
    has("| local | * | 0.00 | 0.00 | |");
    let last = lines.last().expect("a line");
    assert!(last.ends_with("models, US dollars an image, as of 2026-11-22, 2 days old"), "{last}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");

    let one = PriceList::of(&book, Some("xai"), TODAY).expect("known");
    assert_eq!(one.models.len(), 2);
    let unknown = PriceList::of(&book, Some("xia"), TODAY).expect_err("unknown");
    assert!(unknown.to_string().ends_with("did you mean \"xai\"?"), "{unknown}");
    let json: serde_json::Value = serde_json::from_str(&one.json()).expect("JSON");
    assert_eq!(json["schema"], "imagemill.prices/1");
    assert_eq!(json["models"][0]["maximum"], "0.02");
}

#[test]
fn a_sheet_shows_each_size_and_quality() {
    let book = PriceBook::embedded();
    let sheet = PriceSheet::of(&book, &ask("openai", "gpt-image-1-mini"), TODAY).expect("known");
    assert_eq!(
        lines(&sheet.text(look())),
        [
            "openai / gpt-image-1-mini price from built-in",
            "+-----------+---------+----------+---------+-----------+",
            "| size | quality | expected | at most | priced by |",
            "+======================================================+",
            "| 1024x1024 | low | $0.005 | $0.0075 | estimate |",
            "| 1024x1024 | medium | $0.011 | $0.0165 | estimate |",
            "| 1024x1536 | low | $0.006 | $0.009 | estimate |",
            "| 1024x1536 | medium | $0.015 | $0.0225 | estimate |",
            "| 1536x1024 | low | $0.006 | $0.009 | estimate |",
            "| 1536x1024 | medium | $0.015 | $0.0225 | estimate |",
            "+-----------+---------+----------+---------+-----------+",
            "each reference adds $0.0020975, at most $0.0174575",
            "! the model retires on 2026-12-01, in 7 days",
        ]
    );
    let low = PriceAsk { quality: Some("low"), ..ask("openai", "gpt-image-1-mini") };
    assert_eq!(PriceSheet::of(&book, &low, TODAY).expect("known").prices.len(), 3);
    let high = PriceAsk { quality: Some("high"), ..low };
    assert!(PriceSheet::of(&book, &high, TODAY).is_err());

    let json = PriceSheet::of(&book, &ask("bfl", "flux-2-pro"), TODAY).expect("known").json();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["prices"][0]["maximum"], "0.045");
    assert_eq!(json["prices"][1]["size"], "2048x2048");
    let any = PriceSheet::of(&book, &ask("sdcpp", "my-model"), TODAY).expect("any model");
    assert!(lines(&any.text(look())).contains(&"| any | any | $0.00 | $0.00 | flat |".to_owned()));
}

#[test]
fn a_check_tells_all_problems_by_line() {
    let book = PriceBook::embedded();
    let bad = PriceCheck::of("my.toml", "schema = 1\n[a.m]\nper_imag = 1\nlike = 2\n", &book);
    assert_eq!(
        bad.text(),
        "my.toml:3:1: unknown key \"per_imag\"; did you mean \"per_image\"?\n\
         my.toml:4:1: \"like\" must be a name such as \"openai.gpt-image-2\"\n\
         my.toml: 2 problems\n"
    );
    let json: serde_json::Value = serde_json::from_str(&bad.json()).expect("JSON");
    assert_eq!((&json["valid"], &json["problems"][1]["line"]), (&false.into(), &4.into()));
    let like = PriceCheck::of("my.toml", "schema = 1\n[a.m]\nlike = \"sim.sim-2\"\n", &book);
    assert!(!like.valid && like.text().contains("my.toml:3:1: like = \"sim.sim-2\""));
    let good = PriceCheck::of("my.toml", "schema = 1\n[sim.sim-1]\nper_image = 0.05\n", &book);
    assert_eq!(good.text(), "my.toml: 1 model, no problems\n");
}
