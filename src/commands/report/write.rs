//! Writes reports of a run: each is one pure function of its picture.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process;

use crate::adapters::output::files::write_whole;
use crate::cli::env_vars;
use crate::commands::failure::{Failure, FileError};
use crate::commands::report::sources::PageSources;
use crate::commands::world::World;
use crate::domain::picture::RunPicture;
use crate::domain::report_ask::{ReportAsk, ReportKind};
use crate::exit::Exit;
use crate::report::{github, html, junit, markdown, tap, words};

/// A page with its pictures in it that is larger than this is worth a word.
const LARGE_PAGE: usize = 25 << 20;

/// What reports are made of.
pub(in crate::commands) struct ReportParts<'a> {
    /// The run.
    pub(in crate::commands) picture: &'a RunPicture,
    /// Its folder; a dry run has none, and no images to find there.
    pub(in crate::commands) folder: &'a Path,
    /// Its last report as JSON.
    pub(in crate::commands) json: &'a str,
    /// Whether pages hold small copies of the images, so that they can be sent alone.
    pub(in crate::commands) self_contained: bool,
}

impl ReportParts<'_> {
    /// Writes a report where it was asked for.
    pub(in crate::commands) fn write(&self, world: &World, ask: &ReportAsk) -> Result<(), Failure> {
        let text = match ask.kind {
            ReportKind::Html => self.page(world, &ask.path),
            ReportKind::Json => format!("{}\n", self.json.trim_end()),
            ReportKind::Junit => junit::junit(self.picture),
            ReportKind::Tap => tap::tap(self.picture),
            ReportKind::Markdown => markdown::markdown(self.picture),
            ReportKind::Github => {
                self.tell_github(world)?;
                github::github(self.picture)
            }
        };
        if ask.path == "-" {
            world.printer.result(&text);
            return Ok(());
        }
        let path = world.path(&ask.path);
        if path.starts_with(self.folder) {
            // As private as everything else in a run's folder.
            return write_whole(&path, text.as_bytes())
                .map_err(|error| Failure::new(Exit::Environment, error));
        }
        put(&path, &text).map_err(|source| {
            let path = path.display().to_string();
            Failure::new(Exit::Environment, FileError { action: "write", path, source })
        })
    }

    fn page(&self, world: &World, path: &str) -> String {
        let path = world.path(path);
        let page_folder = path.parent().unwrap_or(&path);
        let cache = world.invocation.cache_home.as_ref().map(|home| home.join("references"));
        let sources = PageSources::new(
            self.picture,
            self.folder,
            page_folder,
            cache.as_deref(),
            self.self_contained,
        );
        let text = html::page(self.picture, &sources);
        if sources.n_missing() > 0 {
            let missing = words::count(sources.n_missing(), "image");
            world.printer.warn(&format!("{missing} could not be put into the page"));
        }
        if text.len() > LARGE_PAGE {
            let megabytes = text.len() >> 20;
            world.printer.warn(&format!(
                "the page has {megabytes} MB; without --self-contained it links its images"
            ));
        }
        text
    }

    /// Summary and outputs of a job, where the runner says where they go.
    fn tell_github(&self, world: &World) -> Result<(), Failure> {
        let env = |name| world.invocation.env(name).filter(|path| !path.is_empty());
        if let Some(path) = env(env_vars::GITHUB_STEP_SUMMARY.name) {
            append(path, &markdown::markdown(self.picture))?;
        }
        if let Some(path) = env(env_vars::GITHUB_OUTPUT.name) {
            let exit = self.picture.end.as_ref().map_or(0, |end| end.exit);
            let outputs = format!(
                "verdict={}\nexit={exit}\ncost={}\nrows_ok={}\n",
                self.picture.verdict(),
                self.picture.money.settled,
                self.picture.n_rows("ok")
            );
            append(path, &outputs)?;
        }
        Ok(())
    }
}

/// Writes a report under a temporary name and renames it, with the rights that the user's other
/// files have. What is no regular file, such as a pipe or a device, is written into.
fn put(path: &Path, text: &str) -> io::Result<()> {
    // A link leads to the file that is meant.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        return OpenOptions::new().write(true).open(&path)?.write_all(text.as_bytes());
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let name = format!(".{}-{}.tmp", path.file_name().unwrap_or_default().display(), process::id());
    let temporary = folder.join(name);
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn append(path: &str, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| {
        let path = path.to_owned();
        Failure::new(Exit::Environment, FileError { action: "write", path, source })
    })
}

/// Reads what `--report` was given; none of them may take the place of a file that is `read`.
pub(in crate::commands) fn asked(
    world: &World,
    texts: &[String],
    read: &[Option<&String>],
) -> Result<Vec<ReportAsk>, Failure> {
    let whole = |path: &str| world.path(path).canonicalize().ok();
    let read: Vec<_> = read.iter().flatten().filter_map(|path| whole(path)).collect();
    let parse = |text: &String| {
        let ask: ReportAsk = text.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
        if whole(&ask.path).is_some_and(|path| read.contains(&path)) {
            let text = format!("--report would write over {}, which is read", ask.path);
            return Err(Failure::new(Exit::Usage, text).with_hint("name another file"));
        }
        Ok(ask)
    };
    texts.iter().map(parse).collect()
}
