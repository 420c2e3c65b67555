//! Images that a process has given their names and died over: looked for when its run goes on.
//! And what it left half received: kept under `raw/`, since it may be paid.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::adapters::output::images::{IMAGES, RAW};
use crate::domain::digest::Sha256Digest;
use crate::domain::ids::AttemptId;
use crate::domain::image::{ImageKind, StoredImage};
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;

/// Bytes at the start that tell kind and size.
const HEAD: usize = 64 << 10;

/// An image that is there, although nothing says so.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// The file.
    pub image: StoredImage,
    /// What it cost and where that comes from, when its sidecar is there.
    pub cost: Option<(NanoUsd, CostSource)>,
}

/// What a sidecar says of its attempt.
#[derive(Deserialize)]
struct SidecarHead {
    rid: AttemptId,
    amount: NanoUsd,
    cost_source: CostSource,
}

/// Looks for the image of an attempt: a whole file with the name that it would have, which is none
/// of `taken` (files of other images, relative to the run's folder). When several could be it, none
/// is.
///
/// # Errors
/// When the file system refuses.
pub fn find_image(
    run_folder: &Path,
    stem: &str,
    variant: u8,
    rid: AttemptId,
    taken: &dyn Fn(&str) -> bool,
) -> io::Result<Option<FoundImage>> {
    let mut found = Vec::new();
    for kind in [ImageKind::Png, ImageKind::Jpeg, ImageKind::Webp] {
        let path = PathBuf::from(IMAGES).join(format!("{stem}-v{variant}.{}", kind.extension()));
        if !taken(&path.to_string_lossy())
            && let Some(image) = whole_image(run_folder, path)?
        {
            found.push(image);
        }
    }
    let Some(image) = found.pop().filter(|_| found.is_empty()) else { return Ok(None) };
    let sidecar = fs::read(run_folder.join(image.path.with_extension("json"))).ok();
    let sidecar = sidecar.and_then(|text| serde_json::from_slice::<SidecarHead>(&text).ok());
    if sidecar.as_ref().is_some_and(|sidecar| sidecar.rid != rid) {
        return Ok(None);
    }
    let cost = sidecar.map(|sidecar| (sidecar.amount, sidecar.cost_source));
    Ok(Some(FoundImage { image, cost }))
}

/// The image in a file, when the file is there and is a whole one.
fn whole_image(run_folder: &Path, path: PathBuf) -> io::Result<Option<StoredImage>> {
    let mut file = match File::open(run_folder.join(&path)) {
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
    let pixels = imagesize::blob_size(&head)
        .ok()
        .and_then(|size| Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?)));
    let sha256 = Sha256Digest::finish(hasher);
    Ok(Some(StoredImage { path, kind, n_bytes, sha256, pixels }))
}

/// Whether a file ends as its format says: the last chunk of a PNG, the end marker of a JPEG, the
/// length in the head of a WebP.
fn is_whole(kind: ImageKind, head: &[u8], end: &[u8; 12], n_bytes: u64) -> bool {
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
        if !(name.starts_with('.') && name.ends_with(".part")) {
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

    const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

    fn png() -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0....", PNG_END].concat()
    }

    #[test]
    fn a_whole_image_is_found_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join(IMAGES);
        fs::create_dir(&images).expect("a folder");
        let rid = AttemptId::new(Uuid::from_u128(7));
        let find = |taken: &dyn Fn(&str) -> bool| {
            find_image(folder.path(), "A-1", 2, rid, taken).expect("readable")
        };
        let free = |_: &str| false;
        assert!(find(&free).is_none(), "nothing is there");
        let file = images.join("A-1-v2.png");
        fs::write(&file, &png()[..20]).expect("a file");
        assert!(find(&free).is_none(), "half of an image");
        fs::write(&file, png()).expect("a file");
        let found = find(&free).expect("a whole image");
        assert_eq!(found.image.pixels, Some((2, 3)));
        assert_eq!(found.cost, None);
        assert!(find(&|name| name == "images/A-1-v2.png").is_none(), "it is another's");
        let sidecar =
            |rid: AttemptId| format!(r#"{{"rid":"{rid}","amount":"0.04","cost_source":"usage"}}"#);
        fs::write(images.join("A-1-v2.json"), sidecar(rid)).expect("a file");
        let amount = "0.04".parse().expect("money");
        assert_eq!(find(&free).expect("found").cost, Some((amount, CostSource::Usage)));
        let other = AttemptId::new(Uuid::from_u128(8));
        fs::write(images.join("A-1-v2.json"), sidecar(other)).expect("a file");
        assert!(find(&free).is_none(), "it is of another attempt");
        fs::remove_file(images.join("A-1-v2.json")).expect("a file");
        fs::write(
            images.join("A-1-v2.jpg"),
            [&b"\xff\xd8\xff\xe0"[..], &[0; 20], b"\xff\xd9"].concat(),
        )
        .expect("a file");
        assert!(find(&free).is_none(), "nobody knows which of two it is");
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
