//! The pool of references and the freshness of their addresses, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use imagemill::adapters::system::SeededEntropy;
use imagemill::domain::event::RunEvent;
use imagemill::domain::fetch::FetchSettings;
use imagemill::domain::freshness::need;
use imagemill::domain::reference::Reference;
use imagemill::domain::reference_plan::{Pace, UrlLives};
use imagemill::domain::row::Outcome;
use imagemill::domain::signed_url::lifetime;
use imagemill::pipeline::reference_pool::ReferencePool;
use imagemill::ports::clock::Clock;
use imagemill::ports::references::ReferenceError;
use jiff::SignedDuration;
use url::Url;

use crate::ledger::support::TestClock;
use crate::sim::bench::{Bench, References, image};
use crate::sim::fakes::Play;
use crate::sim::reference_fakes::{Heard, Place, Signer, signed};

const MINUTE: Duration = Duration::from_secs(60);

/// A pool between fakes.
struct World {
    clock: Arc<TestClock>,
    place: Place,
    signer: Signer,
    pool: ReferencePool,
}

fn world(
    place: impl FnOnce(Place) -> Place,
    signer: impl FnOnce(Signer) -> Signer,
    settings: FetchSettings,
) -> World {
    let clock = TestClock::new();
    let place = place(Place::new(&clock));
    let signer = signer(Signer::new(&clock));
    let pool = ReferencePool::new(
        settings,
        Arc::new(place.clone()),
        Arc::new(signer.clone()),
        clock.clone(),
        Arc::new(SeededEntropy::new(3)),
    );
    World { clock, place, signer, pool }
}

fn url(text: impl Into<String>) -> Reference {
    Reference::Url(text.into())
}

fn nobody(signer: Signer) -> Signer {
    Signer { is_there: false, ..signer }
}

#[tokio::test(start_paused = true)]
async fn one_host_gets_so_many_tries_at_once_and_all_hosts_no_more_than_the_pool_row_83() {
    let settings = FetchSettings { per_host: 2, ..FetchSettings::default() };
    let World { clock, place, pool, .. } = world(|it| it, |it| it, settings);
    let wanted: Vec<Reference> =
        (0..8).map(|n| url(format!("https://one.example/{n}.png"))).collect();
    let got = join_all(wanted.iter().map(|it| pool.get(it))).await;
    assert!(got.iter().all(Result::is_ok));
    assert_eq!((place.most_at_once(), clock.elapsed().as_secs()), (2, 4));
    let wanted: Vec<Reference> =
        (0..16).map(|n| url(format!("https://h{n}.example/a.png"))).collect();
    join_all(wanted.iter().map(|it| pool.get(it))).await;
    assert_eq!(place.most_at_once(), 4);
    assert_eq!(pool.tallied().most_at_once, 4);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_fetched_once_whoever_asks_for_it_and_however_it_is_signed_row_84() {
    let World { clock, place, pool, .. } = world(|it| it, |it| it, FetchSettings::default());
    let now = clock.now();
    let wanted: Vec<Reference> =
        (1..=20).map(|n| url(signed("https://r.example/a.png", now, MINUTE * (20 + n)))).collect();
    let got = join_all(wanted.iter().map(|it| pool.get(it))).await;
    for (reference, loaded) in wanted.iter().zip(&got) {
        assert_eq!(&loaded.as_ref().expect("fetched").reference, reference);
    }
    assert!(pool.get(&wanted[3]).await.is_ok());
    assert_eq!((place.n_tries(), pool.tallied().fetched, pool.tallied().shared), (1, 1, 20));
    // What is refused for good is not asked for again either; what may heal is.
    let World { clock, place, pool, .. } = world(
        |it| {
            it.hearing(
                |text, _| if text.contains("gone") { Heard::Refuses } else { Heard::Heals(None) },
            )
        },
        |it| it,
        FetchSettings { retries: 0, ..FetchSettings::default() },
    );
    for minute in 1..=3 {
        for _ in 0..5 {
            assert!(pool.get(&url("https://r.example/gone.png")).await.is_err());
            assert!(pool.get(&url("https://r.example/ill.png")).await.is_err());
        }
        assert_eq!(place.n_tries(), 1 + minute);
        clock.sleep(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_share_a_dead_object_fail_together_and_not_one_after_the_other() {
    let World { clock, place, pool, .. } =
        world(|it| it.hearing(|_, _| Heard::Hangs), |it| it, FetchSettings::default());
    let dead = url("https://r.example/dead.png");
    let got = join_all((0..20).map(|_| pool.get(&dead))).await;
    assert!(got.iter().all(Result::is_err));
    assert_eq!(place.n_tries(), 3);
    assert!(clock.elapsed() < Duration::from_secs(40), "{:?}", clock.elapsed());
    assert!(pool.get(&dead).await.is_err());
    assert_eq!(place.n_tries(), 3, "who comes soon after is told the same");
}

#[tokio::test(start_paused = true)]
async fn a_new_signature_that_dies_early_is_replaced_for_the_next_row() {
    let World { clock, place, signer, pool } = world(
        |it| {
            it.hearing(|_, nth| if nth == 2 { Heard::DoubtsSignature } else { Heard::Heals(None) })
        },
        |it| it,
        FetchSettings { retries: 0, ..FetchSettings::default() },
    );
    let dead = url(signed("https://r.example/a.png", clock.now(), Duration::ZERO));
    assert!(pool.get(&dead).await.is_err(), "it could not be fetched, but its address is new");
    assert_eq!((place.n_tries(), signer.n_asked()), (1, 1));
    clock.sleep(MINUTE * 2).await;
    assert!(pool.get(&dead).await.is_err());
    assert_eq!((place.n_tries(), signer.n_asked()), (3, 2), "the doubted one was replaced");
}

#[tokio::test(start_paused = true)]
async fn what_may_heal_is_tried_twice_more_and_what_hangs_is_cut_after_ten_seconds_row_74_75() {
    let World { clock, place, pool, .. } = world(
        |it| it.hearing(|_, nth| if nth < 3 { Heard::Hangs } else { Heard::Image }),
        |it| it,
        FetchSettings::default(),
    );
    pool.get(&url("https://r.example/a.png")).await.expect("the third try");
    let elapsed = clock.elapsed();
    assert!(elapsed >= Duration::from_secs(21) && elapsed < Duration::from_secs(27), "{elapsed:?}");
    assert_eq!((place.n_tries(), pool.tallied().retries), (3, 2));

    let World { place, pool, .. } =
        world(|it| it.hearing(|_, _| Heard::Hangs), |it| it, FetchSettings::default());
    let error = pool.get(&url("https://r.example/a.png")).await.expect_err("it hangs");
    assert!(matches!(&*error, ReferenceError::TimedOut { after, .. } if after.as_secs() == 10));
    assert_eq!(place.n_tries(), 3);
    assert_eq!(error.to_string(), "reference https://r.example/a.png was not there within 10s");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_asked_for_is_waited_whole_unless_it_is_too_long() {
    let asked = Duration::from_secs(17);
    let World { clock, place, pool, .. } = world(
        |it| {
            it.hearing(
                move |_, nth| if nth == 1 { Heard::Heals(Some(asked)) } else { Heard::Image },
            )
        },
        |it| it,
        FetchSettings::default(),
    );
    pool.get(&url("https://r.example/a.png")).await.expect("the second try");
    assert!(clock.elapsed() >= asked + Duration::from_secs(2));
    assert_eq!(place.n_tries(), 2);
    let World { place, pool, .. } = world(
        |it| it.hearing(|_, _| Heard::Heals(Some(MINUTE))),
        |it| it,
        FetchSettings::default(),
    );
    assert!(pool.get(&url("https://r.example/a.png")).await.is_err());
    assert_eq!(place.n_tries(), 1, "nobody waits a minute for a reference");
}

#[tokio::test(start_paused = true)]
async fn an_address_with_less_than_five_minutes_is_signed_anew_before_it_is_asked_row_86() {
    let World { clock, place, signer, pool } = world(|it| it, |it| it, FetchSettings::default());
    let now = clock.now();
    for (name, minutes, n_asked) in [("a", 10, 0), ("b", 4, 1), ("c", 0, 2)] {
        let object = format!("https://r.example/{name}.png");
        pool.get(&url(signed(&object, now, MINUTE * minutes))).await.expect("fetched");
        assert_eq!(signer.n_asked(), n_asked, "{name}");
    }
    assert_eq!(place.n_tries(), 3, "none of them was asked with an old signature");
    assert_eq!(pool.tallied().refreshed, 2);

    let World { clock, place, pool, .. } = world(|it| it, nobody, FetchSettings::default());
    let dying = url(signed("https://r.example/a.png?x=1", clock.now(), MINUTE * 4));
    let Reference::Url(text) = &dying else { unreachable!("it is an address") };
    let error = pool.get(&url(text.replace("?x=1?", "?"))).await.expect_err("too old");
    assert!(error.to_string().contains("lives for"), "{error}");
    assert_eq!(place.n_tries(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_refresh_serves_all_rows_that_share_the_object_row_92() {
    let World { clock, signer, pool, .. } = world(|it| it, |it| it, FetchSettings::default());
    let now = clock.now();
    let wanted: Vec<Reference> = (0..20)
        .map(|n| url(signed("https://r.example/a.png", now, Duration::from_secs(n))))
        .collect();
    let got = join_all(wanted.iter().map(|it| pool.get(it))).await;
    assert!(got.iter().all(Result::is_ok));
    assert_eq!(signer.n_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_the_store_doubts_gets_one_refresh_beside_the_retries_row_96_89() {
    let World { place, signer, pool, .. } = world(
        |it| {
            it.hearing(|_, nth| match nth {
                1 => Heard::Heals(None),
                2 => Heard::DoubtsSignature,
                3 => Heard::Heals(None),
                _ => Heard::Image,
            })
        },
        |it| it,
        FetchSettings::default(),
    );
    pool.get(&url("https://r.example/a.png")).await.expect("the refresh is no retry");
    assert_eq!((place.n_tries(), signer.n_asked()), (4, 1));

    let World { place, signer, pool, .. } =
        world(|it| it.hearing(|_, _| Heard::DoubtsSignature), |it| it, FetchSettings::default());
    let error = pool.get(&url("https://r.example/a.png")).await.expect_err("twice refused");
    assert!(matches!(&*error, ReferenceError::Answered { status: 403, .. }), "{error}");
    assert_eq!((place.n_tries(), signer.n_asked()), (2, 1));

    let World { place, pool, .. } =
        world(|it| it.hearing(|_, _| Heard::DoubtsSignature), nobody, FetchSettings::default());
    assert!(pool.get(&url("https://r.example/a.png")).await.is_err());
    assert_eq!(place.n_tries(), 1, "the same signature is not asked twice");
}

#[tokio::test(start_paused = true)]
async fn an_address_of_another_object_or_of_no_use_is_no_refresh_row_95_94() {
    for (other, life, says) in [
        (Some("https://r.example/b.png"), None, "another object"),
        (Some("https://evil.example/a.png"), None, "another object"),
        (Some("http://r.example/a.png"), None, "another object"),
        (Some("junk"), None, "another object"),
        (None, Some(Duration::ZERO), "although it was refreshed"),
    ] {
        let World { clock, place, pool, .. } =
            world(|it| it, |it| Signer { other, life, ..it }, FetchSettings::default());
        let dead = url(signed("https://r.example/a.png", clock.now(), Duration::ZERO));
        let error = pool.get(&dead).await.expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("Signature"), "{error}");
        assert_eq!(place.n_tries(), 0, "{other:?} was never asked");
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_host_decides_once_it_is_known_row_91() {
    let ahead = SignedDuration::from_mins(20);
    let World { clock, place, signer, pool } =
        world(|it| Place { ahead, ..it }, |it| it, FetchSettings::default());
    pool.get(&url("https://r.example/first.png")).await.expect("fetched");
    let news = pool.take_news();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].contains("r.example"), "{news:?}");
    assert!(pool.take_news().is_empty(), "told once");
    // Ten minutes by our clock are long over by theirs: it is signed anew, and not asked before.
    let dying = url(signed("https://r.example/a.png", clock.now(), MINUTE * 10));
    let _ = pool.get(&dying).await;
    assert_eq!(signer.n_asked(), 1);
    assert!(place.tries.lock().expect("no holder panics").iter().all(|(_, it)| {
        *it != *match &dying {
            Reference::Url(text) => text,
            Reference::Local(_) => "",
        }
    }));
}

/// A batch of ten hours: one image every 18 seconds, and addresses that live for 15 minutes.
fn ten_hours(has_signer: bool, skip: Vec<u32>) -> Bench {
    let play = Play { after: Duration::from_secs(18), ..image() };
    let references = References { life: MINUTE * 15, has_signer, skip };
    Bench { concurrency: 1, references: Some(references), ..Bench::new(2_000) }.plays(move |_| play)
}

#[test]
fn a_batch_of_ten_hours_loses_nothing_when_addresses_can_be_signed_anew() {
    let ran = ten_hours(true, Vec::new()).run();
    assert_eq!((ran.stats.rows.ok, ran.stats.rows.rejected), (2_000, 0));
    assert!(ran.elapsed > Duration::from_hours(10), "{:?}", ran.elapsed);
}

#[test]
fn without_a_signer_whatever_will_die_is_named_before_the_first_reservation() {
    let settings = FetchSettings::default();
    let clock_start = ten_hours(false, Vec::new()).started_at();
    let mut lives = UrlLives::default();
    for position in 0..2_000 {
        let text = signed("https://r.example/x.png", clock_start, MINUTE * 15);
        lives.add(position, 0, &lifetime(&Url::parse(&text).expect("an address")), false);
    }
    let pace = Pace {
        now: clock_start,
        whole: Duration::from_secs(18 * 2_000),
        images: 2_000,
        need: need(&settings),
        fresh_for: settings.fresh_for,
    };
    let (counts, too_late) = lives.judge((0..2_000).map(|row| (row, 1)), &pace);
    // Ten of the fifteen minutes are left for the start: with a margin of 20 %, 28 rows.
    assert_eq!((counts.fresh, counts.doomed), (28, 1_972));
    let doomed: Vec<u32> = too_late.iter().map(|row| row.position).collect();
    let ran = ten_hours(false, doomed).run();
    assert_eq!((ran.stats.rows.ok, ran.stats.rows.rejected), (28, 0));

    // Whoever ran them all the same would lose exactly what comes too late, before money.
    let ran = ten_hours(false, Vec::new()).run();
    let rejected = ran.rows().values().filter(|row| row.outcome == Outcome::Rejected).count();
    assert!((1_960..=1_972).contains(&rejected), "{rejected}");
    assert_eq!(ran.count("reserve"), 2_000 - rejected);
}

#[test]
fn a_run_that_is_slower_than_forecast_says_how_many_rows_will_come_too_late() {
    // Eight rows would be fresh at a row every 18 s; each takes three minutes.
    let play = Play { after: Duration::from_secs(180), ..image() };
    let references = References { life: MINUTE * 15, has_signer: false, skip: Vec::new() };
    let ran = Bench { concurrency: 1, references: Some(references), ..Bench::new(8) }
        .plays(move |_| play)
        .run();
    let news: Vec<&String> = ran
        .events
        .iter()
        .filter_map(|event| {
            let RunEvent::ReferenceNews { reason } = event else { return None };
            Some(reason)
        })
        .collect();
    assert!(news.iter().any(|it| it.contains("rows will come after")), "{news:?}");
    assert!(ran.stats.rows.rejected > 0 && ran.stats.rows.ok > 0);
}
