//! How much room is left on a disk, and whether it may be another machine's.

use std::io;
use std::path::Path;

#[cfg(target_vendor = "apple")]
use crate::domain::file_system::shared_by_name;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::domain::file_system::shared_by_number;

/// The bytes that may still be written below a folder; nothing where the system does not say.
///
/// A folder that does not exist yet is looked for upwards.
///
/// # Errors
/// When the system refuses the question.
pub fn free_bytes(folder: &Path) -> io::Result<Option<u64>> {
    let existing = existing(folder);
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(existing)?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = existing;
        Ok(None)
    }
}

/// The name of the file system below a folder when other machines may write to it as well; nothing
/// for a local one, and where the system does not say.
///
/// A folder that does not exist yet is looked for upwards.
///
/// # Errors
/// When the system refuses the question.
pub fn shared_file_system(folder: &Path) -> io::Result<Option<&'static str>> {
    let existing = existing(folder);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // The number has 32 bits; on some machines they come with a sign.
        Ok(shared_by_number(rustix::fs::statfs(existing)?.f_type as u32))
    }
    #[cfg(target_vendor = "apple")]
    {
        let stat = rustix::fs::statfs(existing)?;
        let bytes = stat.f_fstypename.iter().map(|byte| byte.to_ne_bytes()[0]);
        let name: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        Ok(shared_by_name(&String::from_utf8_lossy(&name)))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        let _ = existing;
        Ok(None)
    }
}

fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|it| it.exists()).unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_does_not_exist_yet_is_on_the_disk_of_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("not/yet/there");
        let asked = shared_file_system(folder.path()).expect("an answer");
        assert_eq!(shared_file_system(&below).expect("an answer"), asked);
    }
}
