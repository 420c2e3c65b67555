use std::sync::Arc;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::domain::money::NanoUsd;

const TODAY: Date = date(2026, 11, 22);

fn ask<'a>(name: &'a str, size: &'a str, quality: &'a str, n_input_images: u32) -> PriceAsk<'a> {
    let (provider, model) = name.split_once(' ').expect("provider and model");
    let given = |text: &'a str| (!text.is_empty()).then_some(text);
    PriceAsk { provider, model, size: given(size), quality: given(quality), n_input_images }
}

fn quoted(book: &PriceBook, ask: &PriceAsk<'_>) -> (String, String) {
    let quote = book.quote(ask, TODAY).expect("a price");
    (quote.expected.to_string(), quote.maximum.to_string())
}

fn merged(user: &str) -> PriceBook {
    let user = PriceBook::parse(user, "my.toml").expect("a price book");
    PriceBook::embedded().merge(user).expect("it resolves")
}

#[test]
fn the_built_in_book_quotes_exactly() {
    let book = PriceBook::embedded();
    let check = |name: &str, size: &str, quality: &str, n: u32, expected: &str, maximum: &str| {
        let got = quoted(&book, &ask(name, size, quality, n));
        assert_eq!(got, (expected.into(), maximum.into()), "{name} {size} {quality} {n}");
    };
    check("sim sim-1", "", "", 0, "0.04", "0.04");
    check("sim sim-1", "1024x1024", "high", 3, "0.04", "0.04");
    check("openai gpt-image-2.5-flare", "1024x1024", "medium", 0, "0.01317", "0.019755");
    check("openai gpt-image-2.5-sunburst", "1024x1024", "max", 0, "0.21072", "0.31608");
    check("openai gpt-image-2", "1024x1536", "high", 0, "0.165", "0.2475");
    // Bigger is not dearer.
    check("openai gpt-image-2", "1024x1024", "high", 0, "0.211", "0.3165");
    // 839 tokens expected, 6,983 at worst, at $8 a million.
    check("openai gpt-image-2", "1024x1024", "low", 1, "0.012712", "0.064864");
    check("openai gpt-image-2.5-flare", "1024x1024", "auto", 0, "0.05268", "0.31608");
    check("gemini gemini-3.1-flash-image", "1K", "", 0, "0.0672", "0.1008");
    check("gemini gemini-3-pro-image", "4K", "high", 0, "0.24", "0.36");
    check("xai grok-imagine-image", "1024x1024", "", 2, "0.06", "0.06");
    check("xai grok-imagine-image-2.0", "1024x1024", "low", 0, "0.04", "0.06");
    check("bfl flux-2-pro", "1024x1024", "", 0, "0.03", "0.045");
    check("bfl flux-2-pro", "2048x2048", "", 1, "0.09", "0.1725");
    check("fal fal-ai/flux/dev", "1024x1024", "", 0, "0.025", "0.05");
    check("fal fal-ai/flux/dev", "512x512", "", 0, "0.025", "0.0375");
    check("fal fal-ai/nano-banana-pro", "4K", "", 0, "0.30", "0.30");
    check("local anything", "", "", 5, "0.00", "0.00");
    check("sdcpp flux-q4.gguf", "512x512", "", 0, "0.00", "0.00");
}

#[test]
fn the_cost_of_the_standard_fixture_is_what_the_facts_say() {
    let book = PriceBook::embedded();
    let check = |name: &str, size: &str, quality: &str, total: &str| {
        let quote = book.quote(&ask(name, size, quality, 0), TODAY).expect("a price");
        let sum = quote.expected.checked_mul(199).expect("small");
        assert_eq!(sum.to_string(), total, "{name} {quality}");
    };
    check("sim sim-1", "", "", "7.96");
    check("openai gpt-image-2.5-flare", "1024x1024", "high", "10.48332");
    check("openai gpt-image-2", "1024x1024", "medium", "10.547");
    check("gemini gemini-3.1-flash-image", "1K", "", "13.3728");
    check("bfl flux-2-pro", "1024x1024", "", "5.97");
}

#[test]
fn what_has_no_price_says_why() {
    let book = PriceBook::embedded();
    let check = |name: &str, size: &str, quality: &str, message: &str| {
        let error = book.quote(&ask(name, size, quality, 0), TODAY).expect_err(name);
        assert_eq!(error.to_string(), message, "{name}");
    };
    check("opnai x", "", "", "the price book has no provider \"opnai\"; did you mean \"openai\"?");
    check(
        "openai gpt-image-2.5-flair",
        "",
        "",
        "the price book has no model \"gpt-image-2.5-flair\" of \"openai\"; \
         did you mean \"gpt-image-2.5-flare\"?",
    );
    check("zzz x", "", "", "the price book has no provider \"zzz\"");
    check(
        "openai gpt-image-2.6-flare",
        "1024x1024",
        "low",
        "the price of openai / gpt-image-2.6-flare is not known (give one in a price file)",
    );
    check("openai dall-e-3", "", "", "openai / dall-e-3 was retired on 2026-05-12");
    check(
        "openai gpt-image-1-mini",
        "1024x1024",
        "high",
        "the price book has no price of openai / gpt-image-1-mini at size 1024x1024 and quality \
         high; it knows 1024x1024 (low|medium), 1024x1536 (low|medium), 1536x1024 (low|medium)",
    );
    check(
        "gemini gemini-2.5-flash-image",
        "",
        "",
        "the price book has no price of gemini / gemini-2.5-flash-image at size (none) and \
         quality (none); it knows 1K",
    );
    check(
        "bfl flux-2-pro",
        "big",
        "",
        "the price book has no price of bfl / flux-2-pro at size big and quality (none); \
         it knows any size as WIDTHxHEIGHT, such as 1024x1024",
    );
}

#[test]
fn a_retirement_is_told_before_and_refused_after() {
    let book = PriceBook::embedded();
    let mini = ask("openai gpt-image-1-mini", "1024x1024", "low", 0);
    let warned = |today| book.quote(&mini, today).map(|quote| quote.warnings);
    let on = date(2026, 12, 1);
    assert_eq!(warned(TODAY), Ok(vec![Warning::Retires { on, days: 9 }]));
    assert_eq!(warned(date(2026, 1, 1)), Ok(vec![]));
    assert!(matches!(warned(on), Err(QuoteError::Retired { since, .. }) if since == on));
}

#[test]
fn a_user_file_wins_key_by_key() {
    let book = merged(
        r#"
        schema = 1
        as_of = 2026-11-23
        [openai."gpt-image-2.5-sunburst"]
        est_image_out_tokens."1024x1024".low = 200
        [openai."gpt-image-2"]
        per_image = "$0.10"
        [openai."gpt-image-2.6-flare"]
        like = "openai.gpt-image-2.5-sunburst"
        unpriced = false
        [openai."gpt-image-2.6-sunburst"]
        per_image = 0.5
        [openai."gpt-image-1"]
        per_image = 0.07
        retires = 2027-06-01
        [local."*"]
        per_gpu_second = 0.0005
        est_gpu_seconds = 20
        [mine.m]
        est_per_image.s = 0.10
        max_per_image.s = 0.30
        "#,
    );
    let check = |name: &str, size: &str, quality: &str, expected: &str, maximum: &str| {
        let got = quoted(&book, &ask(name, size, quality, 0));
        assert_eq!(got, (expected.into(), maximum.into()), "{name} {size} {quality}");
    };
    check("openai gpt-image-2.5-sunburst", "1024x1024", "low", "0.006", "0.009");
    check("openai gpt-image-2.5-sunburst", "1024x1024", "medium", "0.01317", "0.019755");
    check("openai gpt-image-2.5-flare", "1024x1024", "low", "0.00588", "0.00882");
    check("openai gpt-image-2.6-flare", "1024x1024", "low", "0.006", "0.009");
    check("openai gpt-image-2", "640x480", "best", "0.10", "0.10");
    check("openai gpt-image-2.6-sunburst", "", "", "0.50", "0.50");
    check("openai gpt-image-1", "", "", "0.07", "0.07");
    check("comfyui any", "", "", "0.01", "0.015");
    check("mine m", "s", "", "0.10", "0.30");
    assert_eq!(book.as_of(), Some(date(2026, 11, 23)));
    let flat = book.quote(&ask("openai gpt-image-2", "", "", 0), TODAY).expect("a price");
    assert_eq!((flat.source.origin.as_str(), flat.source.method), ("my.toml", PriceMethod::Flat));
}

#[test]
fn everything_wrong_with_a_file_is_named_with_its_place() {
    let check = |text: &str, expected: &[&str]| {
        let error = PriceBook::parse(text, "p.toml").expect_err(text);
        let shown: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text}");
    };
    check(
        "schema = 1\n[openai.m]\nper_imge = 0.1\nper_image = -0.1\nlike = 3\n",
        &[
            "3:1: unknown key \"per_imge\"; did you mean \"per_image\"?",
            "4:1: \"per_image\" is below zero",
            "5:1: \"like\" must be a name such as \"openai.gpt-image-2\"",
        ],
    );
    check(
        "schema = 1\n[a.m]\nper_mtok = { image_ot = 1, image_out = nan }\nretires = \"soon\"\n",
        &[
            "3:14: unknown key \"image_ot\"; did you mean \"image_out\"?",
            "3:28: \"image_out\": \"nan\" is not an amount in dollars, such as 10, 10.00 or $10",
            "4:1: \"retires\" must be a day such as 2026-11-22",
        ],
    );
    check(
        "as_off = 1\n[a.m]\nper_image = 0.0000000001\n",
        &[
            "1:1: unknown key \"as_off\"; did you mean \"as_of\"?",
            "1:1: the key \"schema\" is missing",
            "3:1: \"per_image\": \"0.0000000001\" is finer than a nano-dollar \
             (nine digits behind the point)",
        ],
    );
    check("schema = 2\n", &["1:1: schema 2 is not known here; this version reads schema 1"]);
    check(
        "schema = 1\n[a.m]\nest_per_image = 0.1\nest_image_out_tokens.x = 1.5\n",
        &["3:1: \"est_per_image\" must be a table", "4:22: \"x\" must be a whole number"],
    );
    let broken = PriceBook::parse("schema = 1\n[a\n", "p.toml").expect_err("no TOML");
    assert!(broken.to_string().starts_with("p.toml:2:"), "{broken}");
}

#[test]
fn a_like_must_lead_somewhere() {
    let check = |text: &str, message: &str| {
        let user = PriceBook::parse(text, "p.toml").expect("valid by itself");
        let error = PriceBook::embedded().merge(user).expect_err(text);
        assert_eq!(error.to_string(), message);
    };
    check(
        "schema = 1\n[a.m]\nlike = \"openai.gpt-image-3\"\n",
        "p.toml:3:1: like = \"openai.gpt-image-3\" names no entry; \
         did you mean \"openai.gpt-image-2\"?",
    );
    check(
        "schema = 1\n[a.m]\nlike = \"a.n\"\n[a.n]\nlike = \"a.m\"\n",
        "p.toml:3:1: like = \"a.n\" goes round in a circle (and 1 more)",
    );
}

#[test]
fn numbers_never_pass_through_a_float_row_22() {
    let check = |number: &str, nanos: i64| {
        let text = format!("schema = 1\n[a.m]\nper_image = {number}\n");
        let book = PriceBook::parse(&text, "p").expect(number);
        let quote = book.quote(&ask("a m", "", "", 0), TODAY).expect("a price");
        assert_eq!(quote.expected.nanos(), nanos, "{number}");
    };
    check("0.1", 100_000_000);
    check("0.100000001", 100_000_001);
    check("9007199.254740993", 9_007_199_254_740_993);
    check("\"9007199.254740993\"", 9_007_199_254_740_993);
    check("9223372036.854775807", i64::MAX);
    check("4e-2", 40_000_000);
    check("1_000", 1_000_000_000_000);
}

#[test]
fn a_price_too_large_is_an_error() {
    let text = "schema = 1\n[a.m]\nest_per_image.s = 9000000000\n[a.i]\nper_image = 1\n\
                per_input_image = 9000000000\n";
    let book = PriceBook::parse(text, "p").expect("a book");
    let too_large = |ask| matches!(book.quote(&ask, TODAY), Err(QuoteError::TooLarge { .. }));
    assert!(too_large(ask("a m", "s", "", 0)));
    assert!(too_large(ask("a i", "s", "", u32::MAX)));
}

#[test]
fn a_billed_prompt_can_be_added() {
    let book = PriceBook::embedded();
    let add = |name: &str| {
        let quote = book.quote(&ask(name, "1024x1024", "low", 0), TODAY).expect("a price");
        let with = quote.with_prompt(400).expect("small");
        (with.expected.to_string(), with.maximum.to_string())
    };
    assert_eq!(add("openai gpt-image-2.5-flare"), ("0.00638".into(), "0.01082".into()));
    assert_eq!(add("sim sim-1"), ("0.04".into(), "0.04".into()));
}

#[test]
fn the_digest_follows_the_prices_only() {
    let digest = |text: &str, origin| PriceBook::parse(text, origin).expect("a book").digest();
    let base = digest("schema = 1\n[a.m]\nper_image = 0.10\n[a.n]\nper_image = 1\n", "p");
    assert_eq!(base.len(), 64);
    assert_eq!(
        base,
        digest(
            "schema = 1\nas_of = 2026-01-01\n# x\n[a]\nn.per_image = \"1.0\"\nm.per_image = 0.1",
            "q"
        )
    );
    assert_ne!(base, digest("schema = 1\n[a.m]\nper_image = 0.11\n[a.n]\nper_image = 1\n", "p"));
    let built_in = PriceBook::embedded();
    assert_eq!(built_in.digest(), merged("schema = 1\n").digest());
}

#[test]
fn the_age_counts_from_as_of() {
    let book = PriceBook::embedded();
    assert_eq!(book.age_days(date(2027, 1, 2)), Some(41));
    assert_eq!(book.age_days(date(2026, 1, 1)), Some(0));
    assert_eq!(PriceBook::parse("schema = 1", "p").expect("a book").age_days(TODAY), None);
    assert_eq!(book.default_model(SIM_PROVIDER), Some(SIM_MODEL));
}

#[test]
fn a_table_remembers_answers_and_refusals() {
    let book = Arc::new(PriceBook::embedded());
    let mut table = QuoteTable::new(Arc::clone(&book), TODAY);
    let asks = [
        ask("sim sim-1", "", "", 0),
        ask("openai gpt-image-2", "1024x1024", "low", 1),
        ask("openai nothing", "", "", 0),
    ];
    for round in 0..3 {
        for ask in &asks {
            let answer = table.quote(ask).cloned().map_err(Clone::clone);
            assert_eq!(answer, book.quote(ask, TODAY), "round {round}");
        }
    }
    assert_eq!(table.answers().count(), 3);
    let models: Vec<_> = (0..10_000).map(|n| format!("sim m{n}")).collect();
    for model in &models {
        let _ = table.quote(&ask(model, "", "", 0));
    }
    assert!(table.answers().count() <= 4_096);
    assert_eq!(table.quote(&asks[0]).map(|quote| quote.maximum.nanos()), Ok(40_000_000));
}

proptest! {
    #[test]
    fn no_text_panics_the_reader(text in "\\PC{0,200}") {
        let _ = PriceBook::parse(&text, "p");
    }

    #[test]
    fn the_worst_case_is_never_below_the_estimate(
        nanos in 0i64..10_000_000_000,
        tokens in 0u64..100_000,
        n in 0u32..17,
    ) {
        let price = NanoUsd::from_nanos(nanos);
        let text = format!(
            "schema = 1\n[a.flat]\nper_image = {price}\nest_per_image.s = 0.04\n\
             [a.est]\nest_per_image.s = {price}\nmax_per_image.s = 0.04\n\
             [a.tokens]\nper_mtok = {{ image_in = 8, image_out = {price} }}\n\
             est_image_out_tokens.s = {tokens}\n"
        );
        let book = PriceBook::parse(&text, "p").expect("a book");
        for name in ["a flat", "a est", "a tokens"] {
            let quote = book.quote(&ask(name, "s", "", n), TODAY).expect("a price");
            prop_assert!(quote.maximum >= quote.expected, "{name}: {quote:?}");
        }
    }
}
