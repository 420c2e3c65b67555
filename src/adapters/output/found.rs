//! Images that a process has given their names and died over: looked for when its run goes on.
//! And what it left half received: kept under `raw/`, since it may be paid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::adapters::output::files::{files_below, open_regular, read_small};
use crate::adapters::output::images::{IMAGES, RAW};
use crate::adapters::output::rebuild::Rebuilt;
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::image::{ImageKind, StoredImage};
use crate::domain::image_name::ImageName;
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;

/// Bytes at the start that tell kind and size.
const HEAD: usize = 64 << 10;

/// The longest sidecar that is read; a prompt may have tens of thousands of letters.
const MAX_SIDECAR: u64 = 1 << 20;

/// Hexadecimal digits of the digest behind a name that was taken.
const SUFFIX_DIGITS: usize = 12;

/// An image that is there, although nothing says so.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// The file.
    pub image: StoredImage,
    /// What it cost and where that comes from, when its sidecar is there.
    pub cost: Option<(NanoUsd, CostSource)>,
    /// What it is still to be made from, when it came in an answer that nobody could read then.
    pub rebuilt: Option<Rebuilt>,
}

impl From<Rebuilt> for FoundImage {
    fn from(rebuilt: Rebuilt) -> Self {
        Self { image: rebuilt.image.clone(), cost: None, rebuilt: Some(rebuilt) }
    }
}

/// What a sidecar says of its attempt.
#[derive(Clone, Debug, Deserialize)]
pub struct SidecarHead {
    /// The run that made the image.
    pub run_id: RunId,
    /// The attempt that paid for it.
    pub rid: AttemptId,
    /// The identity of the work.
    pub work: Sha256Digest,
    amount: NanoUsd,
    cost_source: CostSource,
    /// The image that it is a copy of, where it is one.
    #[serde(default)]
    copy_of: Option<String>,
}

/// The images of a run's folder, as far as nothing says whose they are.
#[derive(Debug, Default)]
pub struct ImagesThere {
    run_folder: PathBuf,
    /// The names of all images.
    all: BTreeSet<String>,
    /// Those without a sidecar that can be read.
    bare: BTreeSet<String>,
    /// The others, by their work.
    told: BTreeMap<Sha256Digest, (String, SidecarHead)>,
}

impl ImagesThere {
    /// Looks at a run's folder; `taken` says which files (relative to it) are known.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn look(run_folder: &Path, taken: &dyn Fn(&str) -> bool) -> io::Result<Self> {
        let mut there = Self { run_folder: run_folder.to_owned(), ..Self::default() };
        for path in files_below(run_folder, IMAGES)? {
            let name = path[IMAGES.len() + 1..].to_owned();
            let file = name.rsplit('/').next().unwrap_or_default();
            if file.starts_with('.') || stem(file).is_none() {
                continue;
            }
            there.all.insert(name.clone());
            if taken(&path) {
                continue;
            }
            match sidecar(&run_folder.join(&path).with_extension("json")) {
                // A copy was not paid for; whoever wants it makes it again.
                Some(head) if head.copy_of.is_some() => {}
                Some(head) => drop(there.told.insert(head.work, (name, head))),
                None => drop(there.bare.insert(name)),
            }
        }
        Ok(there)
    }

    /// Whether a file, named relative to the run's folder, is there.
    pub fn has(&self, file: &str) -> bool {
        let name = file.strip_prefix(IMAGES).and_then(|rest| rest.strip_prefix('/'));
        match name {
            Some(name) if self.all.contains(name) => true,
            // It may be a link to where it was moved.
            Some(_) | None => self.run_folder.join(file).is_file(),
        }
    }

    /// What the sidecar of an image of this work says, when there is one.
    pub fn told(&self, work: &Sha256Digest) -> Option<&SidecarHead> {
        self.told.get(work).map(|(_, head)| head)
    }

    /// The image whose sidecar names this work, when it is whole.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn with_sidecar(&self, work: &Sha256Digest) -> io::Result<Option<FoundImage>> {
        let Some((name, head)) = self.told.get(work) else { return Ok(None) };
        let image = whole_image(&self.run_folder, Path::new(IMAGES).join(name))?;
        let cost = Some((head.amount, head.cost_source));
        Ok(image.map(|image| FoundImage { image, cost, rebuilt: None }))
    }

    /// The image without a sidecar that has the name of a row's image: as it is usually called, or
    /// with the digest behind it that it gets where the name is taken. When several could be it,
    /// none is.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn bare(&self, wanted: &ImageName) -> io::Result<Option<FoundImage>> {
        let mut found = Vec::new();
        let (begin, length) = (wanted.beginning(), wanted.to_string().len());
        let from = self.bare.range(begin.to_owned()..);
        for file in from.take_while(|name| name.starts_with(begin)) {
            let Some(name) = stem(file) else { continue };
            // Whose name is as long as it may be is read; its digest decides.
            if name.len() != length && name.len() != length + 1 + SUFFIX_DIGITS {
                continue;
            }
            let image = whole_image(&self.run_folder, Path::new(IMAGES).join(file))?;
            let is_its = |it: &StoredImage| {
                let (usual, digits) = (wanted.of(&it.sha256), it.sha256.to_string());
                name == usual || *name == format!("{usual}-{}", &digits[..SUFFIX_DIGITS])
            };
            found.extend(image.filter(is_its));
        }
        let image = found.pop().filter(|_| found.is_empty());
        Ok(image.map(|image| FoundImage { image, cost: None, rebuilt: None }))
    }
}

/// A file's name without the extension of an image; nothing for other files.
fn stem(file: &str) -> Option<&str> {
    kinds().find_map(|kind| file.strip_suffix(kind.extension())?.strip_suffix('.'))
}

fn kinds() -> impl Iterator<Item = ImageKind> {
    [ImageKind::Png, ImageKind::Jpeg, ImageKind::Webp].into_iter()
}

/// What a sidecar says; nothing when there is none that can be read.
fn sidecar(path: &Path) -> Option<SidecarHead> {
    serde_json::from_slice(&read_small(path, MAX_SIDECAR).ok()?).ok()
}

/// The image in a file, when the file is there and is a whole one.
fn whole_image(run_folder: &Path, path: PathBuf) -> io::Result<Option<StoredImage>> {
    let (mut file, _) = match open_regular(&run_folder.join(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let (mut hasher, mut n_bytes, mut buffer) = (Sha256::new(), 0, vec![0; HEAD]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        n_bytes += n as u64;
    }
    let mut head = vec![0; HEAD.min(usize::try_from(n_bytes).unwrap_or(HEAD))];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    let mut end = [0; 12];
    if n_bytes < end.len() as u64 {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-12))?;
    file.read_exact(&mut end)?;
    let Some(kind) = ImageKind::from_magic(&head) else { return Ok(None) };
    if !is_whole(kind, &head, &end, n_bytes) {
        return Ok(None);
    }
    // The disk has it from here on, whatever happens.
    file.sync_all()?;
    let pixels = pixels_of(&head);
    let sha256 = Sha256Digest::finish(hasher);
    Ok(Some(StoredImage { path, kind, n_bytes, sha256, pixels }))
}

/// Width and height, as the header says.
pub(super) fn pixels_of(head: &[u8]) -> Option<(u32, u32)> {
    let size = imagesize::blob_size(head).ok()?;
    Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
}

/// Whether a file ends as its format says: the last chunk of a PNG, the end marker of a JPEG, the
/// length in the head of a WebP.
pub(super) fn is_whole(kind: ImageKind, head: &[u8], end: &[u8; 12], n_bytes: u64) -> bool {
    match kind {
        ImageKind::Png => end == b"\0\0\0\0IEND\xaeB`\x82",
        ImageKind::Jpeg => end.ends_with(&[0xff, 0xd9]),
        ImageKind::Webp => {
            let length = head.get(4..8).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
            length.is_some_and(|length| u64::from(length) + 8 == n_bytes)
        }
    }
}

/// Moves what a process left half received under `raw/`, and drops what it had not begun with.
///
/// # Errors
/// When the file system refuses.
pub fn keep_parts(run_folder: &Path) -> io::Result<u64> {
    let mut n_kept = 0;
    let entries = match fs::read_dir(run_folder.join(IMAGES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_part = name.starts_with('.') && name.ends_with(".part");
        if !is_part || !entry.file_type()?.is_file() {
            continue;
        }
        if entry.metadata()?.len() == 0 {
            fs::remove_file(entry.path())?;
            continue;
        }
        fs::create_dir_all(run_folder.join(RAW))?;
        let digest = Sha256Digest::of(&fs::read(entry.path())?).to_string();
        let kept = run_folder.join(RAW).join(format!("left-{}.bin", &digest[..12]));
        fs::rename(entry.path(), kept)?;
        n_kept += 1;
    }
    Ok(n_kept)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn named(text: &str) -> ImageName {
        ImageName::plain(text)
    }

    const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

    fn png() -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0....", PNG_END].concat()
    }

    #[test]
    fn a_whole_image_is_found_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join(IMAGES);
        fs::create_dir(&images).expect("a folder");
        let work = Sha256Digest::of(b"work");
        let there = |taken: &dyn Fn(&str) -> bool| {
            ImagesThere::look(folder.path(), taken).expect("readable")
        };
        let bare = || there(&|_| false).bare(&named("A-1-v2")).expect("readable");
        assert!(bare().is_none(), "nothing is there");
        let file = images.join("A-1-v2.png");
        fs::write(&file, &png()[..20]).expect("a file");
        assert!(bare().is_none(), "half of an image");
        fs::write(&file, png()).expect("a file");
        fs::write(images.join("A-1-v20.png"), png()).expect("another image");
        let found = bare().expect("a whole image");
        assert_eq!((found.image.pixels, found.cost), (Some((2, 3)), None));
        let others = there(&|name| name == "images/A-1-v2.png");
        assert!(others.has("images/A-1-v2.png") && !others.has("images/A-1-v3.png"));
        assert!(others.bare(&named("A-1-v2")).expect("readable").is_none(), "it is another's");
        let sidecar = format!(
            r#"{{"run_id":"{}","rid":"{}","work":"{work}","amount":"0.04","cost_source":"usage"}}"#,
            RunId::new(Uuid::from_u128(6)),
            AttemptId::new(Uuid::from_u128(7)),
        );
        fs::write(images.join("A-1-v2.json"), sidecar).expect("a file");
        assert!(bare().is_none(), "its sidecar says whose it is");
        let all = there(&|_| false);
        let amount = "0.04".parse().expect("money");
        assert_eq!(all.told(&work).map(|it| it.rid), Some(AttemptId::new(Uuid::from_u128(7))));
        let found = all.with_sidecar(&work).expect("readable").expect("found");
        assert_eq!(found.cost, Some((amount, CostSource::Usage)));
        fs::remove_file(images.join("A-1-v2.json")).expect("a file");
        // The name was taken: the digest stands behind it.
        let digest = Sha256Digest::of(&png()).to_string();
        fs::rename(&file, images.join(format!("A-1-v2-{}.png", &digest[..12]))).expect("a name");
        assert!(bare().is_some());
        fs::write(images.join("A-1-v2-0123456789ab.png"), png()).expect("a file");
        assert!(bare().is_some(), "its name lies");
        let jpeg = [&b"\xff\xd8\xff\xe0"[..], &[0; 20], b"\xff\xd9"].concat();
        fs::write(images.join("A-1-v2.jpg"), jpeg).expect("a file");
        assert!(bare().is_none(), "nobody knows which of two it is");
    }

    #[test]
    fn an_image_in_a_folder_is_found_by_the_name_that_its_digest_makes() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join(IMAGES).join("a/b");
        fs::create_dir_all(&images).expect("folders");
        let digest = Sha256Digest::of(&png());
        let name = format!("x-{}.png", &digest.to_string()[..8]);
        fs::write(images.join(&name), png()).expect("a file");
        fs::write(images.join("x-01234567.png"), png()).expect("a file that is called wrongly");
        let there = ImagesThere::look(folder.path(), &|_| false).expect("readable");
        assert!(there.has(&format!("images/a/b/{name}")));
        let wanted = ImageName::with_digits("a/b/x-*", 8);
        let found = there.bare(&wanted).expect("readable").expect("found");
        assert_eq!(found.image.path, Path::new("images/a/b").join(name));
    }

    #[cfg(unix)]
    #[test]
    fn no_link_and_no_pipe_is_taken_for_an_image() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join(IMAGES);
        fs::create_dir(&images).expect("a folder");
        fs::write(folder.path().join("elsewhere.png"), png()).expect("a file");
        for (target, name) in [("../elsewhere.png", "A-v1.png"), ("/dev/zero", ".1.part")] {
            std::os::unix::fs::symlink(target, images.join(name)).expect("a link");
        }
        let pipe = std::process::Command::new("mkfifo").arg(images.join("B-v1.png")).status();
        assert!(pipe.expect("mkfifo runs").success());
        let there = ImagesThere::look(folder.path(), &|_| false).expect("readable");
        assert!(there.bare(&named("A-v1")).expect("readable").is_none());
        assert!(there.bare(&named("B-v1")).expect("readable").is_none());
        assert_eq!(keep_parts(folder.path()).expect("readable"), 0);
        assert!(images.join(".1.part").is_symlink(), "what is not ours stays");
    }

    #[test]
    fn what_was_half_received_is_kept_and_what_was_not_begun_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join(IMAGES);
        assert_eq!(keep_parts(folder.path()).expect("nothing there"), 0);
        fs::create_dir(&images).expect("a folder");
        fs::write(images.join(".0.part"), "half").expect("a file");
        fs::write(images.join(".1.part"), "").expect("a file");
        fs::write(images.join("A-v1.png"), png()).expect("a file");
        assert_eq!(keep_parts(folder.path()).expect("kept"), 1);
        assert_eq!(fs::read_dir(&images).expect("list").count(), 1);
        let raw: Vec<_> = fs::read_dir(folder.path().join(RAW)).expect("list").collect();
        assert_eq!(fs::read(raw[0].as_ref().expect("one").path()).expect("a file"), b"half");
    }
}
