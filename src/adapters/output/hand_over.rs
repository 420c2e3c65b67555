//! Hands the files of a run over to a bucket, as they become durable on the disk. Objects are only
//! ever created: one that is there with other bytes stays as it is.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::path::Path as Key;
use object_store::{Error, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload};
use tokio::task::spawn_blocking;

use crate::adapters::output::files::{files_below, private_file};
use crate::adapters::output::images::{IMAGES, RAW};
use crate::adapters::output::places::PLAN;
use crate::domain::digest::Sha256Digest;
use crate::domain::out_bucket::OutBucket;
use crate::ports::clock::Clock;

/// Files on their way at once.
const AT_ONCE: usize = 8;

/// How often one file is tried, and the pause before the second time; it doubles.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// What says whose the objects are.
const MARK: &str = "imagemill-run.json";

/// Where the run's folder remembers what is in which bucket: a place and a name on each line.
const HANDED_OVER: &str = "handed-over.txt";

/// The most names that are tried for a document that is there with other bytes.
const MOST_NUMBERED: u32 = 1_000;

/// What is handed over beside images when a run ends.
///
/// Rejected rows are not among them: their addresses are as they were, with all that opens them.
const DOCUMENTS: [&str; 8] = [
    "plan.json",
    "results.csv",
    "failed.csv",
    "refused.csv",
    "report.html",
    "report.json",
    "SHA256SUMS",
    "journal.jsonl",
];

/// Why a file is not in the bucket. What the store says is not shown: it may echo what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// The bucket refused, or did not answer.
    #[error("{place} does not take {name}: {problem}")]
    Refused {
        /// The place in the bucket.
        place: String,
        /// The file.
        name: String,
        /// What is wrong, in a few words.
        problem: &'static str,
    },
    /// There is an object of that name with other bytes.
    #[error("{place} has {name} with other bytes, which are not written over")]
    Taken {
        /// The place in the bucket.
        place: String,
        /// The file.
        name: String,
    },
    /// The file cannot be read.
    #[error("{name} cannot be read: {problem}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        problem: String,
    },
}

/// Hands the files of one run over.
#[derive(Debug)]
pub struct HandOver {
    store: Arc<dyn ObjectStore>,
    place: OutBucket,
    /// The run's folder, and what it is called in the bucket.
    folder: PathBuf,
    run: String,
    clock: Arc<dyn Clock>,
    /// What is there, as the run's folder remembers.
    there: Mutex<BTreeSet<String>>,
}

impl HandOver {
    /// Hands the files of the run in `folder` over to a place in a bucket.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        place: OutBucket,
        folder: &Path,
        run: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, place, folder: folder.to_owned(), run, clock, there: Mutex::default() }
    }

    /// Leaves a mark: whoever may not write, and a store that would write over what is there, is
    /// told before anything is paid for. What the run's folder remembers to have handed over is not
    /// handed over again, unless the mark was not there: it is another place then, or was emptied.
    ///
    /// # Errors
    /// When the bucket refuses.
    pub async fn begin(&self) -> Result<(), HandOverError> {
        let mark = format!("{{\"schema\":\"imagemill.run/1\",\"run_id\":\"{}\"}}\n", self.run);
        let mark = Bytes::from(mark);
        if self.put(MARK, &mark).await? == Put::Created {
            let again = self.put(MARK, &mark).await?;
            return if again == Put::Exists { Ok(()) } else { Err(self.writes_over()) };
        }
        let text = fs::read_to_string(self.folder.join(HANDED_OVER)).unwrap_or_default();
        let place = format!("{} ", self.place);
        let ours = text.lines().filter_map(|line| line.strip_prefix(&place));
        self.there.lock().expect("no holder panics").extend(ours.map(str::to_owned));
        Ok(())
    }

    fn writes_over(&self) -> HandOverError {
        let problem = "it cannot create an object without writing over one";
        let (place, name) = (self.place.to_string(), MARK.to_owned());
        HandOverError::Refused { place, name, problem }
    }

    /// Notes that a file is there. A note that is lost costs another question.
    fn note(&self, name: String) {
        let mut there = self.there.lock().expect("no holder panics");
        let mut options = OpenOptions::new();
        let opened =
            private_file(options.append(true).create(true)).open(self.folder.join(HANDED_OVER));
        let _ = opened.and_then(|mut file| writeln!(file, "{} {name}", self.place));
        there.insert(name);
    }

    /// Hands some files over, named relative to the run's folder; returns what went wrong. The rest
    /// is left where the bucket refuses one, or does not answer: it would not take the others.
    pub async fn files(&self, names: Vec<String>) -> Vec<HandOverError> {
        let handed = names.into_iter().map(|name| self.file(name));
        let mut results = stream::iter(handed).buffer_unordered(AT_ONCE);
        let mut problems = Vec::new();
        while let Some(result) = results.next().await {
            let Err(error) = result else { continue };
            let is_over = matches!(error, HandOverError::Refused { .. });
            problems.push(error);
            if is_over {
                break;
            }
        }
        problems
    }

    /// Hands over whatever is not there yet: images, sidecars, paid answers, then documents.
    pub async fn rest(&self) -> Vec<HandOverError> {
        let folder = self.folder.clone();
        let listed = spawn_blocking(move || files_of(&folder)).await;
        let mut problems = match listed.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(names) => self.files(names).await,
            Err(error) => vec![unreadable(IMAGES, &error)],
        };
        if problems.iter().any(|problem| matches!(problem, HandOverError::Refused { .. })) {
            return problems;
        }
        for name in DOCUMENTS {
            if self.folder.join(name).is_file()
                && let Err(error) = self.document(name).await
            {
                problems.push(error);
            }
        }
        problems
    }

    async fn file(&self, name: String) -> Result<(), HandOverError> {
        if self.there.lock().expect("no holder panics").contains(&name) {
            return Ok(());
        }
        let bytes = self.read(&name).await?;
        self.create(&name, &bytes).await?;
        self.note(name);
        Ok(())
    }

    /// A document that is there as an earlier call left it stays; the new one gets a number.
    async fn document(&self, name: &str) -> Result<(), HandOverError> {
        let bytes = self.read(name).await?;
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let told = format!("{name} as {}", Sha256Digest::of(&bytes));
        let n_before = {
            let there = self.there.lock().expect("no holder panics");
            if there.contains(&told) {
                return Ok(());
            }
            let of_this = format!("{name} as ");
            there.iter().filter(|it| it.starts_with(&of_this)).count()
        };
        for number in u32::try_from(n_before).unwrap_or(MOST_NUMBERED)..MOST_NUMBERED {
            let numbered = match (number, extension) {
                (0, _) => name.to_owned(),
                (number, "") => format!("{stem}-{number}"),
                (number, extension) => format!("{stem}-{number}.{extension}"),
            };
            match self.create(&numbered, &bytes).await {
                Err(HandOverError::Taken { .. }) => {}
                done => return done.inspect(|()| self.note(told)),
            }
        }
        Err(HandOverError::Taken { place: self.place.to_string(), name: name.to_owned() })
    }

    async fn read(&self, name: &str) -> Result<Bytes, HandOverError> {
        let path = self.folder.join(name);
        let read = spawn_blocking(move || fs::read(path)).await;
        let bytes = read
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| unreadable(name, &error))?;
        Ok(if name == PLAN { without_ledger(bytes) } else { bytes }.into())
    }

    /// Creates an object; one with the same bytes is as good.
    async fn create(&self, name: &str, bytes: &Bytes) -> Result<(), HandOverError> {
        match self.put(name, bytes).await? {
            Put::Created => Ok(()),
            // It may be our own: an answer that was lost, or an earlier process.
            Put::Exists => self.is_same(name, bytes).await,
        }
    }

    async fn put(&self, name: &str, bytes: &Bytes) -> Result<Put, HandOverError> {
        let (key, payload) = (self.key(name), PutPayload::from(bytes.clone()));
        let mut pause = PAUSE;
        for nth in 1.. {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.store.put_opts(&key, payload.clone(), options).await {
                Ok(_) => return Ok(Put::Created),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                    return Ok(Put::Exists);
                }
                Err(error) if nth == TRIES || is_final(&error) => {
                    return Err(self.refused(name, &error));
                }
                Err(_) => self.clock.sleep(pause).await,
            }
            pause *= 2;
        }
        Ok(Put::Exists)
    }

    async fn is_same(&self, name: &str, bytes: &Bytes) -> Result<(), HandOverError> {
        let refused = |error| self.refused(name, &error);
        let got = self.store.get_opts(&self.key(name), GetOptions::default()).await;
        let got = got.map_err(refused)?;
        if got.meta.size == bytes.len() as u64 && got.bytes().await.map_err(refused)? == *bytes {
            return Ok(());
        }
        Err(HandOverError::Taken { place: self.place.to_string(), name: name.to_owned() })
    }

    fn key(&self, name: &str) -> Key {
        Key::from(self.place.name_of(&format!("{}/{name}", self.run)))
    }

    fn refused(&self, name: &str, error: &Error) -> HandOverError {
        let problem = match error {
            Error::NotFound { .. } => "there is no such bucket",
            Error::PermissionDenied { .. } => "these credentials may not write there",
            Error::Unauthenticated { .. } => "it does not take these credentials",
            Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                "it cannot create an object without writing over one"
            }
            Error::Generic { .. }
            | Error::InvalidPath { .. }
            | Error::JoinError { .. }
            | Error::AlreadyExists { .. }
            | Error::Precondition { .. }
            | Error::NotModified { .. }
            | Error::UnknownConfigurationKey { .. }
            | _ => "it did not take it, or did not answer",
        };
        let (place, name) = (self.place.to_string(), name.to_owned());
        HandOverError::Refused { place, name, problem }
    }
}

/// What became of an object that was to be created.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    /// It is there now.
    Created,
    /// There was one of that name.
    Exists,
}

/// The plan of a run without the place of its ledger, which is nobody else's business.
fn without_ledger(bytes: Vec<u8>) -> Vec<u8> {
    let plan = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes);
    let Ok(mut plan) = plan else { return bytes };
    match plan.remove("ledger") {
        Some(_) => serde_json::to_vec_pretty(&plan).unwrap_or(bytes),
        None => bytes,
    }
}

/// Whether trying again changes nothing.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::NotImplemented { .. }
            | Error::NotSupported { .. }
    )
}

fn unreadable(name: &str, error: &io::Error) -> HandOverError {
    HandOverError::Unreadable { name: name.to_owned(), problem: error.to_string() }
}

/// The images, sidecars and paid answers of a run, relative to its folder.
fn files_of(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = files_below(folder, IMAGES)?;
    names.extend(files_below(folder, RAW)?);
    names.retain(|name| !name.ends_with(".part"));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use object_store::memory::InMemory;

    use super::*;
    use crate::adapters::system::TokioClock;

    async fn names(store: &InMemory) -> Vec<String> {
        let listed = store.list(None).map_ok(|it| it.location.to_string());
        let mut names: Vec<String> = listed.try_collect().await.expect("a list");
        names.sort();
        names
    }

    fn hand_over(store: &Arc<InMemory>, folder: &Path) -> HandOver {
        let place = "s3://b/made".parse().expect("a place");
        let store: Arc<dyn ObjectStore> = Arc::clone(store) as _;
        HandOver::new(store, place, folder, "R".to_owned(), Arc::new(TokioClock::live()))
    }

    #[tokio::test]
    async fn each_file_is_created_once_and_none_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("images/a/A-v1.png", "one");
        write("images/a/A-v1.json", "{}");
        write("images/.3.part", "half");
        write("raw/B-v1-0.bin", "paid");
        write("results.csv", "first");
        let store = Arc::new(InMemory::new());
        let first = hand_over(&store, folder.path());
        first.begin().await.expect("it takes a mark");
        assert!(first.files(vec!["images/a/A-v1.png".to_owned()]).await.is_empty());
        assert!(first.rest().await.is_empty());
        let all = [
            "made/R/imagemill-run.json",
            "made/R/images/a/A-v1.json",
            "made/R/images/a/A-v1.png",
            "made/R/raw/B-v1-0.bin",
            "made/R/results.csv",
        ];
        assert_eq!(names(&store).await, all);
        // A later call: what is there stays, what is new comes, what has changed gets a number.
        write("images/A-v2.png", "two");
        write("results.csv", "second");
        let later = hand_over(&store, folder.path());
        later.begin().await.expect("the same mark is there");
        assert!(later.rest().await.is_empty());
        let more = ["made/R/images/A-v2.png", "made/R/results-1.csv"];
        let mut expect: Vec<&str> = all.into_iter().chain(more).collect();
        expect.sort_unstable();
        assert_eq!(names(&store).await, expect);
        // What the folder has forgotten is looked at again.
        fs::remove_file(folder.path().join(HANDED_OVER)).expect("a file");
        let forgetful = hand_over(&store, folder.path());
        forgetful.begin().await.expect("the same mark is there");
        assert!(forgetful.rest().await.is_empty());
        assert_eq!(names(&store).await, expect);
        // Somebody else's object in the place of an image is not touched, and is told.
        let key = Key::from("made/R/images/A-v3.png");
        store.put_opts(&key, "other".into(), PutOptions::default()).await.expect("written");
        write("images/A-v3.png", "ours!");
        let problems = later.rest().await;
        let taken = "s3://b/made has images/A-v3.png with other bytes, which are not written over";
        assert_eq!(problems[0].to_string(), taken);
        let bytes = store.get_opts(&key, GetOptions::default()).await.expect("there").bytes().await;
        assert_eq!(bytes.expect("bytes"), "other");
    }
}
