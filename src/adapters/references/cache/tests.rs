//! What is kept, what is looked at, and what is forgotten.

use crate::adapters::references::validators::{Remembered, touch};
use crate::domain::reference::Reference;

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";

fn cache() -> (tempfile::TempDir, ContentCache) {
    let outer = tempfile::tempdir().expect("a folder");
    let cache = ContentCache::in_folder(outer.path().join("cache"));
    (outer, cache)
}

async fn keep_all(cache: &ContentCache, bytes: &[u8]) -> Result<Kept, ContentError> {
    let incoming = cache.receive();
    for chunk in bytes.chunks(100_000) {
        assert!(incoming.write(Bytes::new()).await, "nothing is no end");
        assert!(incoming.write(Bytes::copy_from_slice(chunk)).await, "it takes all of them");
    }
    incoming.finish().await
}

/// A JPEG that says its size behind `n_segments` of `length` bytes each.
fn late_jpeg(n_segments: usize, length: u16, sides: [u8; 4]) -> Vec<u8> {
    let mut bytes = b"\xff\xd8".to_vec();
    for _ in 0..n_segments {
        bytes.extend_from_slice(b"\xff\xe2");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.resize(bytes.len() + usize::from(length) - 2, 0);
    }
    bytes.extend_from_slice(b"\xff\xc0\0\x11\x08");
    bytes.extend_from_slice(&sides);
    bytes.extend_from_slice(b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9");
    bytes
}

#[tokio::test]
async fn a_picture_that_says_its_size_late_is_taken_row_80() {
    let (_outer, cache) = cache();
    for n_segments in [0, 1, 2, 40] {
        let bytes = late_jpeg(n_segments, u16::MAX, [1, 0, 1, 0]);
        let kept = keep_all(&cache, &bytes).await.expect("a picture");
        assert_eq!((kept.kind, kept.content.length()), (ImageKind::Jpeg, bytes.len() as u64));
    }
    let bomb = late_jpeg(2, u16::MAX, [0xff, 0xff, 0xff, 0xff]);
    let error = keep_all(&cache, &bomb).await.expect_err("a bomb");
    assert!(matches!(error, ContentError::TooManyPixels { .. }), "{error}");
    let endless = late_jpeg(2, u16::MAX, [1, 0, 1, 0]);
    let error = keep_all(&cache, &endless[..100_000]).await.expect_err("no size at all");
    assert!(matches!(error, ContentError::NotAnImage), "{error}");
    // Millions of tiny segments must not cost a read each.
    let many = late_jpeg(1_000_000, 2, [1, 0, 1, 0]);
    keep_all(&cache, &many).await.expect("a picture");
}

#[tokio::test]
async fn only_what_is_whole_has_a_name_row_76() {
    let (_outer, cache) = cache();
    let incoming = cache.receive();
    assert!(incoming.write(Bytes::from_static(PNG)).await);
    drop(incoming);
    let error = keep_all(&cache, b"GIF89a\x01\0\x01\0").await.expect_err("no gif");
    assert!(matches!(error, ContentError::NotAnImage), "{error}");
    let incoming = cache.receive();
    let chunk = Bytes::from(vec![0; 1 << 20]);
    let mut n_taken = 0;
    while incoming.write(chunk.clone()).await {
        n_taken += 1;
        assert!(n_taken < 20 + QUEUE + 3, "it ends a little behind the limit");
    }
    let error = incoming.finish().await.expect_err("too large");
    assert!(matches!(error, ContentError::TooLarge { .. }), "{error}");
    // The thread of what was dropped may still be at it.
    let is_left = || !entries(cache.folder()).expect("a folder").is_empty();
    let mut n_looks = 0;
    while is_left() {
        n_looks += 1;
        assert!(n_looks < 500, "something half-received stays");
        crate::adapters::system::pause(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn what_a_server_said_is_remembered_while_the_object_is_there() {
    let (outer, cache) = cache();
    let url = |text: &str| Reference::Url(text.to_owned());
    let signed = |n: u32| url(&format!("https://a.example/b?v=7&X-Amz-Signature={n}"));
    assert_eq!(cache.remembered(&signed(1)).await, None);
    let kept = keep_all(&cache, PNG).await.expect("kept");
    let known =
        Remembered { kept: kept.clone(), etag: Some("\"one\"".to_owned()), last_modified: None };
    cache.remember(&signed(1), known.clone()).await;
    assert_eq!(cache.remembered(&signed(2)).await, Some(known.clone()));
    assert_eq!(cache.remembered(&url("https://a.example/b?v=8")).await, None);
    let folder = outer.path().join("cache").join(VALIDATORS);
    for entry in entries(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text") + &path.to_string_lossy();
        assert!(text.contains(r#""schema":"imagemill.validator/1""#), "{text}");
        assert!(!text.contains("example") && !text.contains("Signature"), "{text}");
    }
    // Neither another length nor another version is believed.
    let path = content_path(cache.folder(), &kept.sha256);
    fs::write(&path, [PNG, b"x"].concat()).expect("written");
    assert_eq!(cache.remembered(&signed(2)).await, None);
    fs::write(&path, PNG).expect("written");
    assert_eq!(cache.remembered(&signed(2)).await, Some(known.clone()));
    cache.remember(&signed(1), Remembered { etag: None, ..known }).await;
    assert_eq!(cache.remembered(&signed(2)).await, None, "the new state has no name");
}

#[tokio::test]
async fn a_damaged_file_is_noticed_and_healed_by_the_next_download() {
    let (_outer, cache) = cache();
    let kept = keep_all(&cache, PNG).await.expect("kept");
    assert!(cache.is_intact(&kept).await);
    let path = content_path(cache.folder(), &kept.sha256);
    // As long as it was: only its bytes tell.
    fs::write(&path, vec![0; PNG.len()]).expect("written");
    assert!(!cache.is_intact(&kept).await);
    assert_eq!(keep_all(&cache, PNG).await.expect("kept"), kept);
    assert_eq!(fs::read(&path).expect("there"), PNG);
    assert!(cache.is_intact(&kept).await);
    fs::remove_file(&path).expect("removed");
    assert!(!cache.is_intact(&kept).await);
}

#[tokio::test]
async fn what_nobody_has_used_for_a_month_is_removed() {
    let (outer, cache) = cache();
    let kept = keep_all(&cache, PNG).await.expect("kept");
    let now: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
    let days = |n: i64| {
        SystemTime::from(now - Duration::from_secs(u64::try_from(n * 86_400).expect("days")))
    };
    let path = content_path(cache.folder(), &kept.sha256);
    let folder = outer.path().join("cache");
    for name in [".part-1", "notes.txt", "ab/notes.txt"] {
        fs::create_dir_all(folder.join("ab")).expect("a folder");
        fs::write(folder.join(name), "x").expect("written");
        touch(&folder.join(name), days(40)).expect("a time");
    }
    touch(&path, days(29)).expect("a time");
    assert_eq!(cache.prune(now).expect("pruned"), 1, "the half-received file only");
    touch(&path, days(31)).expect("a time");
    cache.touch(&kept, now).await;
    assert_eq!(cache.prune(now).expect("pruned"), 0, "it was used");
    touch(&path, days(31)).expect("a time");
    assert_eq!(keep_all(&cache, PNG).await.expect("kept"), kept);
    assert_eq!(cache.prune(now).expect("pruned"), 0, "it was received again");
    touch(&path, days(31)).expect("a time");
    assert_eq!(cache.prune(now).expect("pruned"), 1);
    assert!(!path.exists() && folder.join("notes.txt").exists());
    assert!(folder.join("ab/notes.txt").exists());
    let nowhere = ContentCache::in_folder(outer.path().join("none"));
    assert_eq!(nowhere.prune(now).expect("nothing to do"), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let (outer, cache) = cache();
    let kept = keep_all(&cache, PNG).await.expect("kept");
    let path = content_path(cache.folder(), &kept.sha256);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    assert_eq!(mode(&outer.path().join("cache")), 0o700);
}

#[cfg(unix)]
#[test]
fn a_folder_among_those_of_others_is_used_only_when_it_is_the_users_own() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let common = tempfile::tempdir().expect("a folder");
    let cache = ContentCache::below_common(common.path()).expect("a new one");
    let folder = cache.folder().to_path_buf();
    let user = fs::metadata(&folder).expect("made").uid();
    assert_eq!(fs::metadata(&folder).expect("made").mode() & 0o777, 0o700);
    ContentCache::below_common(common.path()).expect("the same one");
    check_own(&folder, user + 1).expect_err("somebody else's");
    for mode in [0o701, 0o750, 0o777] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("a mode");
        ContentCache::below_common(common.path()).expect_err("others may enter");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("a mode");
    fs::rename(&folder, common.path().join("elsewhere")).expect("renamed");
    symlink("elsewhere", &folder).expect("a link");
    ContentCache::below_common(common.path()).expect_err("a link");
}
