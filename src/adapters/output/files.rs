//! Files of a run: private to their owner, whole or not there, and none that a link leads to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::adapters::output::error::{RunFolderError, at};

/// Writes a whole file under a temporary name, syncs it and renames it.
///
/// # Errors
/// When the file system refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RunFolderError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|source| at(path, source))
}

/// A whole file of at most so many bytes; no link, and no pipe.
///
/// # Errors
/// When it cannot be read, or is longer.
pub(crate) fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, about) = open_regular(path)?;
    if about.len() > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The regular files of a folder and of those below it, named relative to `root`; what is not there
/// has none, and no link is followed.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn files_below(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(file) = entry.file_name().into_string() else { continue };
        let (kind, name) = (entry.file_type()?, format!("{folder}/{file}"));
        if kind.is_dir() {
            names.extend(files_below(root, &name)?);
        } else if kind.is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes a folder, and the missing ones above it, that only its owner can enter.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file made with these options can be read by its owner only.
pub(super) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A file opened with these options is none that a link leads to, and no pipe that waits.
pub(super) fn no_links(options: &mut OpenOptions) {
    #[cfg(target_os = "linux")]
    {
        let no_links = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let bits = i32::try_from(no_links.bits()).expect("flags of open are small");
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, bits);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = options;
}

/// Opens a regular file, and nothing that a link leads to or that waits for a writer.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true);
    no_links(&mut options);
    let file = options.open(path)?;
    let about = file.metadata()?;
    match about.is_file() {
        true => Ok((file, about)),
        false => Err(io::Error::other("it is no regular file")),
    }
}
