//! Where the page finds its pictures: beside it, or in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::adapters::output::thumbs::thumbnail;
use crate::adapters::references::cache::content_path;
use crate::domain::digest::Sha256Digest;
use crate::domain::picture::{Picture, RunPicture};
use crate::report::html::Sources;

/// The side of a small copy of an image, in pixels.
const IMAGE_SIDE: u32 = 256;

/// The side of a small copy of a reference.
const REFERENCE_SIDE: u32 = 128;

/// References that are shown in a page: each takes some kilobytes of it.
const MAX_REFERENCES: usize = 500;

/// The pictures of one page.
pub(super) struct PageSources {
    run_folder: PathBuf,
    /// From the page to the run's folder, with a slash at its end where it is not empty.
    prefix: String,
    holds_images: bool,
    references: BTreeMap<String, String>,
    n_missing: Cell<u64>,
}

impl PageSources {
    /// The pictures of a run for a page in `page_folder`. References are shown as far as they are
    /// kept in the user's cache.
    pub(super) fn new(
        picture: &RunPicture,
        run_folder: &Path,
        page_folder: &Path,
        cache: Option<&Path>,
        holds_images: bool,
    ) -> Self {
        let mut references = BTreeMap::new();
        let all = picture.scenes.iter().flat_map(|scene| &scene.references);
        for sha256 in all.filter_map(|reference| reference.sha256.as_ref()) {
            if references.len() == MAX_REFERENCES || references.contains_key(sha256) {
                continue;
            }
            let kept =
                cache.zip(Sha256Digest::parse(sha256)).map(|(it, sha)| content_path(it, &sha));
            if let Some(copy) = kept.and_then(|path| thumbnail(&path, REFERENCE_SIDE).ok()) {
                references.insert(sha256.clone(), copy);
            }
        }
        Self {
            run_folder: run_folder.to_owned(),
            prefix: way(page_folder, run_folder),
            holds_images,
            references,
            n_missing: Cell::new(0),
        }
    }

    /// Images that could not be put into the page.
    pub(super) fn n_missing(&self) -> u64 {
        self.n_missing.get()
    }
}

impl Sources for PageSources {
    fn image(&self, picture: &Picture) -> String {
        if self.holds_images {
            return thumbnail(&self.run_folder.join(&picture.file), IMAGE_SIDE)
                .inspect_err(|_| self.n_missing.set(self.n_missing.get() + 1))
                .unwrap_or_default();
        }
        format!("{}{}", self.prefix, encoded(&picture.file))
    }

    fn reference(&self, sha256: &str) -> Option<String> {
        self.references.get(sha256).cloned()
    }
}

/// The relative address from one folder to another.
fn way(from: &Path, to: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (from, to) = (whole(from), whole(to));
    let parts = |path: &Path| -> Vec<String> {
        let normal = path.components().filter(|it| !matches!(it, Component::CurDir));
        normal.map(|it| it.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let (from, to) = (parts(&from), parts(&to));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let mut way = "../".repeat(from.len() - common);
    for part in &to[common..] {
        way.push_str(&encoded(part));
        way.push('/');
    }
    way
}

/// A path as it stands in an address.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_a_page_to_its_pictures_is_relative() {
        let check = |from: &str, to: &str, expect: &str| {
            assert_eq!(way(Path::new(from), Path::new(to)), expect, "{from} {to}");
        };
        check("/none/out/R", "/none/out/R", "");
        check("/none/public", "/none/out/R", "../out/R/");
        check("/none", "/none/my out/R", "my%20out/R/");
        assert_eq!(encoded("images/A-v1.png"), "images/A-v1.png");
        assert_eq!(encoded("a?b#ü"), "a%3Fb%23%C3%BC");
    }
}
