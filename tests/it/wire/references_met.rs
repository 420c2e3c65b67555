//! The source of references meets the rehearsal server: each fault ends one try, and says how.

use std::sync::Arc;
use std::time::Duration;

use imagemill::adapters::references::cache::ContentCache;
use imagemill::adapters::references::web::WebReferences;
use imagemill::adapters::system::{TokioClock, now};
use imagemill::domain::fetch::FetchSettings;
use imagemill::domain::reference::Reference;
use imagemill::domain::sim::store;
use imagemill::ports::clock::Clock;
use imagemill::ports::references::{FailedTry, Fetched, NextTry, ReferenceSource};
use tempfile::TempDir;

use crate::support::sim_server::SimServer;

/// The source, the server, and the folder of what is kept.
struct Met {
    web: WebReferences,
    server: SimServer,
    folder: TempDir,
}

impl Met {
    fn start(args: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let allowed = "127.0.0.0/8".parse().expect("a network");
        let settings = FetchSettings { allowed, ..FetchSettings::default() };
        let cache = ContentCache::in_folder(folder.path().join("cache"));
        let web = WebReferences::new(&settings, cache, Arc::new(TokioClock::live()));
        Self { web: web.expect("a source"), server: SimServer::start(args), folder }
    }

    async fn fetch(&self, path: &str) -> Result<Fetched, FailedTry> {
        let url = format!("http://{}/refs/{path}", self.server.address);
        self.web.fetch(&Reference::Url(url)).await
    }

    /// The name of the error, and what may follow.
    async fn fails(&self, path: &str) -> (String, NextTry) {
        let failed = self.fetch(path).await.expect_err(path);
        let text = format!("{:?}", failed.error);
        let end = text.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(text.len());
        (text[..end].to_owned(), failed.next)
    }
}

#[tokio::test]
async fn pictures_arrive_whole_and_are_not_sent_twice() {
    let met = Met::start("");
    let first = met.fetch("size/3000000/a.png").await.expect("a picture");
    assert_eq!((first.n_received, first.loaded.content.length()), (3_000_000, 3_000_000));
    assert!(first.date.is_some());
    let again = met.fetch("size/3000000/a.png").await.expect("the same");
    assert_eq!((again.n_received, again.loaded.sha256), (0, first.loaded.sha256));
    let led = met.fetch("redirect/b.png").await.expect("a picture");
    let direct = met.fetch("b.png").await.expect("a picture");
    assert_eq!(led.loaded.sha256, direct.loaded.sha256);
    let seen = &met.server.stats()["references"];
    assert_eq!((&seen["served"], &seen["not_modified"]), (&3.into(), &1.into()));
}

#[tokio::test]
async fn every_fault_ends_its_try_and_leaves_nothing_behind() {
    let met = Met::start("");
    let heals = NextTry::MayHeal(None);
    for (path, error, next) in [
        ("endless/a.png", "TooLarge", NextTry::Never),
        ("size/30000000/a.png", "TooLarge", NextTry::Never),
        ("wrong-type/a.png", "BadAnswer", NextTry::Never),
        ("svg/a.png", "NotAnImage", NextTry::Never),
        ("bomb/a.png", "TooManyPixels", NextTry::Never),
        ("gzip/a.png", "BadAnswer", NextTry::Never),
        ("short/a.png", "BadAnswer", heals),
        ("drop/a.png", "Unreachable", heals),
        ("redirect-loop/a.png", "BadAnswer", NextTry::Never),
        ("redirect-to-private/a.png", "Refused", NextTry::Never),
        ("status/404/a.png", "Answered", NextTry::Never),
        ("status/503/a.png", "Answered", heals),
        ("status/410/a.png", "Answered", NextTry::MayBeExpired),
    ] {
        assert_eq!(met.fails(path).await, (error.to_owned(), next), "{path}");
    }
    assert_eq!(met.fails("flaky/1/a.png").await.1, heals);
    met.fetch("flaky/1/a.png").await.expect("it has healed");
    for path in ["trickle/a.png", "slow/1m/a.png"] {
        let patience = Duration::from_millis(500);
        let fetched = tokio::time::timeout(patience, met.fetch(path)).await;
        assert!(fetched.is_err(), "{path}: the caller's deadline ends it");
    }
    let parts = || {
        let entries = std::fs::read_dir(met.folder.path().join("cache")).expect("a folder");
        entries
            .filter(|it| it.as_ref().is_ok_and(|it| it.file_name().as_encoded_bytes()[0] == b'.'))
            .count()
    };
    for _ in 0..100 {
        if parts() == 0 {
            break;
        }
        // The thread that writes notices a moment later that nobody sends any more.
        TokioClock::live().sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(parts(), 0, "nothing half-received stays");
}

#[tokio::test]
async fn an_address_that_has_expired_may_be_signed_anew() {
    let met = Met::start("--refs-signed");
    let query = |ago: Duration| {
        let life = Duration::from_secs(60);
        store::presign(&met.server.address, "/refs/a.png", now() - ago, life)
    };
    let expired = format!("a.png?{}", query(Duration::from_secs(61)));
    assert_eq!(met.fails(&expired).await, ("Answered".to_owned(), NextTry::MayBeExpired));
    assert_eq!(met.server.stats()["references"]["refused_expired"], 1);
    met.fetch(&format!("a.png?{}", query(Duration::ZERO))).await.expect("a fresh one opens");
}
