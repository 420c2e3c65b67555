//! Makes finished images durable: sidecars beside them, and syncs in groups.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::task::spawn_blocking;

use crate::domain::image::StoredImage;
use crate::domain::sidecar::Sidecar;
use crate::ports::images::ImageStoreError;

/// Syncs under way at once: file systems write them down together, so that many at once take
/// little longer than one.
const SYNCS_AT_ONCE: usize = 8;

/// Images that are worth a task of their own; fewer are synced one after the other.
const LEAST_IN_A_TASK: usize = 16;

/// Room for a sidecar with a prompt of common length.
const SIDECAR: usize = 2 << 10;

/// Images that have their names, and are open until they are synced with others.
#[derive(Debug, Default)]
pub(super) struct Unsynced(Mutex<BTreeMap<OsString, File>>);

impl Unsynced {
    /// Keeps an image open; `path` is what its [`StoredImage`] says.
    pub(super) fn put(&self, path: PathBuf, file: File) {
        self.0.lock().expect("no holder panics").insert(path.into(), file);
    }

    fn take(&self, path: &Path) -> Option<File> {
        self.0.lock().expect("no holder panics").remove(path.as_os_str())
    }
}

/// An image that has its name, and the file when it is still open.
struct Unkept {
    file: Option<File>,
    image: StoredImage,
    sidecar: Sidecar,
}

/// Makes images and their sidecars durable; says of each whether it is, in their order. One that
/// the disk refuses takes no other with it.
pub(super) async fn make_durable(
    root: &Arc<PathBuf>,
    folder: &Path,
    unsynced: &Unsynced,
    finished: Vec<(StoredImage, Sidecar)>,
) -> Vec<Result<(), ImageStoreError>> {
    let n_each = finished.len().div_ceil(SYNCS_AT_ONCE).max(LEAST_IN_A_TASK);
    let folders = folders_of(root, folder, &finished);
    let mut results = Vec::with_capacity(finished.len());
    let mut tasks = Vec::new();
    let mut finished = finished.into_iter().peekable();
    while finished.peek().is_some() {
        let (root, part) = (Arc::clone(root), finished.by_ref().take(n_each));
        let unkept = |(image, sidecar): (StoredImage, Sidecar)| Unkept {
            file: unsynced.take(&image.path),
            image,
            sidecar,
        };
        let part: Vec<Unkept> = part.map(unkept).collect();
        let n_images = part.len();
        let work = move || {
            let results = sync_together(&root, &part);
            // What is in it is freed by the thread that has made it.
            (results, part)
        };
        tasks.push((n_images, spawn_blocking(work)));
    }
    for (n_images, task) in tasks {
        match task.await {
            Ok((part, _)) => results.extend(part),
            Err(error) => {
                results.extend((0..n_images).map(|_| Err(io::Error::other(error.to_string()))))
            }
        }
    }
    if let Err(error) = sync_names(folders).await {
        // Without its name an image is as good as not there.
        let same = |_| Err(io::Error::new(error.kind(), error.to_string()));
        results = results.into_iter().map(|result| result.and_then(same)).collect();
    }
    let failed = |source| ImageStoreError::Io { path: folder.to_owned(), source };
    results.into_iter().map(|result| result.map_err(failed)).collect()
}

/// The folders of some images, up to the one of all images.
fn folders_of(root: &Path, all: &Path, finished: &[(StoredImage, Sidecar)]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([all.to_owned()]);
    for (image, _) in finished {
        let above = image.path.ancestors().skip(1).map(|folder| root.join(folder));
        folders.extend(above.take_while(|folder| folder != all && folder.starts_with(all)));
    }
    folders
}

/// The names become durable together.
async fn sync_names(folders: BTreeSet<PathBuf>) -> io::Result<()> {
    let sync_all = move || folders.iter().try_for_each(|folder| File::open(folder)?.sync_all());
    let done = spawn_blocking(sync_all).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Syncs images and their sidecars. All of them are on their way to the disk before the first is
/// waited for: what a file system writes down together takes one sync, and the others find it done.
fn sync_together(root: &Path, part: &[Unkept]) -> Vec<io::Result<()>> {
    let begin = |Unkept { file, image, sidecar }: &Unkept| {
        file.as_ref().inspect(|file| start_writing(file));
        NewSidecar::write(&root.join(&image.path), sidecar)
    };
    let sidecars: Vec<io::Result<NewSidecar>> = part.iter().map(begin).collect();
    let end = |(sidecar, Unkept { file, image, .. }): (io::Result<NewSidecar>, &Unkept)| {
        sidecar?.keep()?;
        match file {
            Some(file) => file.sync_data(),
            None => File::open(root.join(&image.path))?.sync_data(),
        }
    };
    sidecars.into_iter().zip(part).map(end).collect()
}

/// Asks the system to write a file's bytes down, and waits for nothing; only a sync promises them.
fn start_writing(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Advice, fadvise};
        // It is only advice: where it is not taken, the sync does all of the work.
        let _ = fadvise(file, 0, None, Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// A sidecar under its temporary name.
struct NewSidecar {
    file: File,
    part: PathBuf,
    place: PathBuf,
}

impl NewSidecar {
    /// Writes the sidecar of an image.
    fn write(image: &Path, sidecar: &Sidecar) -> io::Result<Self> {
        let mut text = Vec::with_capacity(SIDECAR);
        serde_json::to_writer_pretty(&mut text, sidecar)?;
        text.push(b'\n');
        let (part, place) = (image.with_extension("json.part"), image.with_extension("json"));
        let mut new = Self { file: File::create(&part)?, part, place };
        match new.file.write_all(&text) {
            Ok(()) => start_writing(&new.file),
            Err(error) => return Err(new.give_up(error)),
        }
        Ok(new)
    }

    /// Syncs it and gives it its name.
    fn keep(self) -> io::Result<()> {
        let kept = self.file.sync_data().and_then(|()| fs::rename(&self.part, &self.place));
        kept.map_err(|error| self.give_up(error))
    }

    /// It is ours, and no paid bytes are in it.
    fn give_up(&self, error: io::Error) -> io::Error {
        let _ = fs::remove_file(&self.part);
        error
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::digest::Sha256Digest;
    use crate::domain::ids::{AttemptId, RunId};
    use crate::domain::image::ImageKind;
    use crate::domain::money::NanoUsd;
    use crate::domain::request::ImageSpec;
    use crate::domain::sidecar::SCHEMA;

    fn finished(root: &Path, n: usize) -> (StoredImage, Sidecar) {
        let name = format!("image-{n}.png");
        fs::write(root.join(&name), "an image").expect("a file");
        let (image, sidecar) = finished_at(&name);
        (image, Sidecar { scene_id: format!("S-{n}"), ..sidecar })
    }

    fn finished_at(path: &str) -> (StoredImage, Sidecar) {
        let path = PathBuf::from(path);
        let (kind, sha256) = (ImageKind::Png, Sha256Digest([0; 32]));
        let image = StoredImage { path: path.clone(), kind, n_bytes: 8, sha256, pixels: None };
        let request = ImageSpec {
            provider: "openai".into(),
            model: "m".into(),
            size: "1x1".into(),
            quality: "low".into(),
            format: "png".into(),
            background: None,
            seed: None,
            negative_prompt: None,
        };
        let sidecar = Sidecar {
            schema: SCHEMA.into(),
            run_id: RunId::new(Uuid::nil()),
            rid: AttemptId::new(Uuid::nil()),
            scene_id: "S".to_owned(),
            variant: 1,
            work: sha256,
            prompt: "a thing".to_owned(),
            request,
            references: Vec::new(),
            amount: NanoUsd::ZERO,
            cost_source: "quote".to_owned(),
            simulated: true,
            provider_request_id: None,
            file: path.display().to_string(),
            kind,
            n_bytes: 8,
            sha256,
            width: None,
            height: None,
            flaws: Default::default(),
            copy_of: None,
            finished_at: String::new(),
        };
        (image, sidecar)
    }

    #[test]
    fn every_folder_above_an_image_is_synced_and_no_other() {
        let root = Path::new("/run");
        let images = [finished_at("images/a/b/x.png"), finished_at("images/a/y.png")];
        let folders = folders_of(root, &root.join("images"), &images);
        let folders: Vec<_> = folders.iter().map(|it| it.display().to_string()).collect();
        assert_eq!(folders, ["/run/images", "/run/images/a", "/run/images/a/b"]);
    }

    #[tokio::test]
    async fn one_that_the_disk_refuses_takes_no_other_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Arc::new(folder.path().to_owned());
        let many: Vec<_> = (0..2 * LEAST_IN_A_TASK).map(|n| finished(&root, n)).collect();
        let unsynced = Unsynced::default();
        let open = File::open(root.join(&many[1].0.path)).expect("an image");
        unsynced.put(many[1].0.path.clone(), open);
        // A folder that has things in it is not replaced by a file.
        fs::create_dir_all(root.join("image-3.json/in-the-way")).expect("a folder");
        let results = make_durable(&root, &root, &unsynced, many).await;
        let refused: Vec<usize> = (0..results.len()).filter(|&n| results[n].is_err()).collect();
        assert_eq!(refused, [3]);
        assert!(unsynced.take(Path::new("image-1.png")).is_none(), "it is synced and closed");
        let exists = |name: &str| root.join(name).is_file();
        assert!(exists("image-2.json") && exists("image-31.json") && exists("image-3.png"));
        assert!(!exists("image-3.json.part"), "no half sidecar is left");
    }
}
