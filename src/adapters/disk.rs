//! How much room is left on a disk.

use std::io;
use std::path::Path;

/// The bytes that may still be written below a folder; nothing where the system does not say.
///
/// A folder that does not exist yet is looked for upwards.
///
/// # Errors
/// When the system refuses the question.
pub fn free_bytes(folder: &Path) -> io::Result<Option<u64>> {
    let existing = folder.ancestors().find(|it| it.exists()).unwrap_or_else(|| Path::new("."));
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
