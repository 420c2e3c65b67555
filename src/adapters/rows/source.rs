//! The source of rows: opens, sniffs and, where it cannot be read twice, spools an input.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::adapters::rows::bad_row::BadRow;
use crate::adapters::rows::columns::{Columns, NO_COLUMN};
use crate::adapters::rows::decode::Decoder;
use crate::adapters::rows::error::Error;
use crate::adapters::rows::finder::Finder;
use crate::adapters::rows::header;
use crate::adapters::rows::index::RowIndex;
use crate::adapters::rows::limits::SNIFF_BYTES;
use crate::adapters::rows::pass::{OnRow, Pass};
use crate::adapters::rows::reader::FileRowReader;
use crate::adapters::rows::sniff::sniff;
use crate::adapters::rows::stream::Stream;
use crate::domain::column::{Field, meant};
use crate::domain::digest::Sha256Digest;
use crate::domain::row_format::RowFormat;

/// How many bytes are digested at a time.
const DIGEST_BYTES: usize = 1 << 20;

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowInput {
    /// A file.
    Path(PathBuf),
    /// Standard input, which is spooled to a temporary file.
    Stdin,
}

/// How an input is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format, when the user names one.
    pub format: Option<RowFormat>,
    /// The folder for the copy of an input that cannot be read twice; the system's otherwise.
    pub spool_folder: Option<PathBuf>,
}

/// What the rows of an input look like, for whoever writes some of them again.
#[derive(Clone, Debug)]
pub struct RecordShape {
    pub(crate) format: RowFormat,
    /// The header's bytes; empty for JSON.
    pub(crate) header: Vec<u8>,
    pub(crate) columns: Columns,
}

impl RecordShape {
    /// The format of the input.
    pub const fn format(&self) -> RowFormat {
        self.format
    }

    /// The names of the input's columns in their order, as far as they are known.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.list().iter().map(|column| column.name.as_str())
    }

    /// Whether a column names the rows.
    pub fn has_scene_ids(&self) -> bool {
        self.columns.slots()[Field::SceneId as usize] != NO_COLUMN
    }

    /// Columns of the user's own that were probably meant to be a field which the input has not,
    /// each with the name that it should have.
    pub fn misnamed(&self) -> Vec<(String, &'static str)> {
        let slots = self.columns.slots();
        let own = self.columns.list().iter().filter(|column| column.field.is_none());
        let meant = own.filter_map(|column| {
            let field = meant(&column.normalized)?;
            (slots[field as usize] == NO_COLUMN).then(|| (column.name.clone(), field.name()))
        });
        meant.collect()
    }
}

/// An input that can be read again and again.
#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Spool(tempfile::NamedTempFile),
}

/// An opened input.
#[derive(Debug)]
pub struct RowSource {
    name: String,
    origin: Origin,
    shape: RecordShape,
    /// Place and line of the first data record (or of what comes before it).
    start: (u64, u64),
}

impl RowSource {
    /// Opens an input, tells its format and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, is no UTF-8 text, or its header does not name the columns needed.
    pub fn open(input: &RowInput, options: &ReadOptions) -> Result<Self, Error> {
        match input {
            RowInput::Path(path) => Self::open_path(path, options),
            RowInput::Stdin => Self::from_reader(io::stdin().lock(), "<stdin>", options),
        }
    }

    /// Spools an input that can be read only once, and opens the copy.
    ///
    /// # Errors
    /// As [`RowSource::open`].
    pub fn from_reader(
        mut input: impl Read,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let folder = options.spool_folder.clone().unwrap_or_else(std::env::temp_dir);
        let mut spool = tempfile::Builder::new()
            .prefix("imagemill-rows-")
            .tempfile_in(folder)
            .map_err(Error::io("keep a copy of", name))?;
        io::copy(&mut input, spool.as_file_mut()).map_err(Error::io("keep a copy of", name))?;
        Self::examine(name.to_owned(), Origin::Spool(spool), None, options)
    }

    /// The input's name as it stands in diagnostics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the rows look like; for JSON the columns are known once they were indexed.
    pub const fn shape(&self) -> &RecordShape {
        &self.shape
    }

    /// The first pass: checks every cell of every row once.
    ///
    /// Each record goes to exactly one of the two: good rows in the order of their positions. A
    /// good row to which `on_row` objects becomes a bad one.
    ///
    /// # Errors
    /// When the input cannot be read or has a fault that makes all further rows doubtful.
    pub fn index(
        &mut self,
        on_row: &mut OnRow<'_>,
        on_bad: &mut dyn FnMut(BadRow),
    ) -> Result<RowIndex, Error> {
        let (offset, line) = self.start;
        let mut file = self.reopen()?;
        file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &self.name))?;
        let format = self.shape.format;
        let finder = Finder::new(self.reopen()?, format, self.shape.columns.clone());
        let pass = Pass {
            file: &self.name,
            stream: Stream::new(file, format, offset, line),
            decoder: Decoder::new(format, &self.shape.columns),
            finder,
            columns: &mut self.shape.columns,
        };
        pass.run(on_row, on_bad)
    }

    /// A reader for the second pass; several may read at the same time.
    ///
    /// # Errors
    /// When the input cannot be opened again.
    pub fn reader(&self, index: &Arc<RowIndex>) -> Result<FileRowReader, Error> {
        let columns = self.shape.columns.clone();
        let finder = Finder::new(self.reopen()?, self.shape.format, columns);
        Ok(FileRowReader::new(finder, Arc::clone(index)))
    }

    /// The SHA-256 of the input's bytes, in hexadecimal digits; of a spooled one, of its copy.
    ///
    /// # Errors
    /// When the input cannot be read again.
    pub fn sha256(&self) -> Result<String, Error> {
        let mut file = self.reopen()?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; DIGEST_BYTES];
        loop {
            match file.read(&mut buffer).map_err(Error::io("read", &self.name))? {
                0 => return Ok(Sha256Digest(hasher.finalize().into()).to_string()),
                n_bytes => hasher.update(&buffer[..n_bytes]),
            }
        }
    }

    fn open_path(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(Error::io("open", &name))?;
        let kind = file.metadata().map_err(Error::io("open", &name))?;
        if kind.is_dir() {
            let title = format!("{name} is a folder, not a file of rows");
            return Err(Error::of_file("input.kind", &name, title, "name a file in it"));
        }
        if !kind.is_file() {
            return Self::from_reader(file, &name, options);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        Self::examine(name, Origin::File(path.to_owned()), extension, options)
    }

    fn examine(
        name: String,
        origin: Origin,
        extension: Option<&str>,
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let shape =
            RecordShape { format: RowFormat::Csv, header: Vec::new(), columns: Columns::default() };
        let mut source = Self { name, origin, shape, start: (0, 1) };
        let mut file = source.reopen()?;
        let mut head = Vec::with_capacity(SNIFF_BYTES);
        let limit = SNIFF_BYTES as u64;
        let read = file.by_ref().take(limit).read_to_end(&mut head);
        read.map_err(Error::io("read", &source.name))?;
        let sniffed = sniff(&source.name, extension, options.format, &head)?;
        source.shape.format = sniffed.format;
        source.start.0 = sniffed.n_mark_bytes;
        if sniffed.format.delimiter().is_some() {
            source.read_header(file)?;
        }
        Ok(source)
    }

    fn read_header(&mut self, mut file: File) -> Result<(), Error> {
        let (offset, line) = self.start;
        file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &self.name))?;
        let mut stream = Stream::new(file, self.shape.format, offset, line);
        // An empty table has no header, and no rows either.
        if stream.step().map_err(|fault| Error::of_stream(&self.name, fault))? {
            let header = header::read(&mut stream, self.shape.format, &self.name)?;
            let extent = stream.extent();
            self.start = (stream.offset() + extent.len as u64, stream.line() + extent.n_lines);
            self.shape.header = header.source;
            self.shape.columns = header.columns;
        }
        Ok(())
    }

    fn reopen(&self) -> Result<File, Error> {
        match &self.origin {
            Origin::File(path) => File::open(path),
            Origin::Spool(spool) => spool.reopen(),
        }
        .map_err(Error::io("open", &self.name))
    }
}
