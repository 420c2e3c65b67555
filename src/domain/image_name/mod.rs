//! Names of image files from a template: `{scene_id}-v{variant}` unless the user says otherwise.
//!
//! Whatever stands in a place is made fit for every file system, so that a name is the same on all
//! of them, and never leaves the folder of images.

mod parse;

use std::borrow::Cow;
use std::fmt;

pub use parse::NameError;

use serde::{Deserialize, Serialize};

use crate::domain::column::normalized;
use crate::domain::digest::Sha256Digest;
use crate::domain::file_name::{file_stem, fit_part, slug};
use crate::domain::ids::RunId;
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;
use crate::domain::suggest::closest;

/// The template of a run that names none.
pub const DEFAULT: &str = "{scene_id}-v{variant}";

/// The most parts of a name, folders and the file: paths stay short.
const MAX_PARTS: usize = 5;

/// The most bytes that one place gives.
const MAX_PLACE: u8 = 80;

/// What stands for the digest until the image has come; no other text has it.
const DIGEST: char = '*';

/// What stands for a cell that is empty.
const EMPTY: &str = "none";

/// The words of places that are not columns.
const PLACES: [&str; 15] = [
    "scene_id", "variant", "row", "run", "date", "provider", "model", "size", "quality", "format",
    "seed", "tags", "filename", "sha256", "prompt",
];

/// How images are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    SceneId,
    Variant,
    RowNumber,
    Run,
    Date,
    Provider,
    Model,
    Size,
    Quality,
    Format,
    Seed,
    Tags,
    Filename,
    /// So many digits of the image's digest.
    Sha256(u8),
    /// So many bytes of the prompt.
    Prompt(u8),
    Column(String),
}

/// What a name is made from.
#[derive(Clone, Copy, Debug)]
pub struct NameFacts<'a> {
    /// The run.
    pub run_id: RunId,
    /// The row.
    pub row: &'a Row,
    /// Which of its images, counted from 1.
    pub variant: u8,
    /// What is asked for it.
    pub spec: &'a ImageSpec,
}

/// The name of an image below the folder of images, without an extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageName {
    text: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    digits: u8,
}

fn is_zero(digits: &u8) -> bool {
    *digits == 0
}

impl NameTemplate {
    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is the usual one, of which every name is known to be its own.
    pub fn is_usual(&self) -> bool {
        self.text == DEFAULT
    }

    /// Whether the digest of the image stands in names.
    pub fn has_digest(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Place(Place::Sha256(_))))
    }

    /// The columns that it names.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Place(Place::Column(name)) => Some(name.as_str()),
            Piece::Place(_) | Piece::Text(_) => None,
        })
    }

    /// The name of an image.
    pub fn name(&self, facts: &NameFacts<'_>) -> ImageName {
        if self.is_usual() {
            return ImageName::usual(facts.row.scene_id.as_str(), facts.variant);
        }
        let mut text = String::with_capacity(self.text.len() + 16);
        let mut digits = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Place(Place::Sha256(n)) => {
                    digits = *n;
                    text.push(DIGEST);
                }
                Piece::Place(place) => text.push_str(&place.value(facts)),
            }
        }
        let parts: Vec<Cow<'_, str>> = text.split('/').map(|part| fit_part(part, digits)).collect();
        ImageName { text: parts.join("/"), digits }
    }
}

impl Place {
    fn value<'a>(&self, facts: &NameFacts<'a>) -> Cow<'a, str> {
        let NameFacts { row, spec, .. } = *facts;
        let options = &row.options;
        match self {
            Self::SceneId => file_stem(row.scene_id.as_str()),
            Self::Variant => facts.variant.to_string().into(),
            Self::RowNumber => row.number.to_string().into(),
            Self::Run => facts.run_id.to_string().into(),
            Self::Date => facts.run_id.day().to_string().into(),
            Self::Provider => cell(&spec.provider),
            Self::Model => cell(&spec.model),
            Self::Size => cell(&spec.size),
            Self::Quality => cell(&spec.quality),
            Self::Format => cell(&spec.format),
            Self::Seed => spec.seed.map_or(EMPTY.into(), |seed| seed.to_string().into()),
            Self::Tags => cell(&options.tags.join("-")).into_owned().into(),
            Self::Filename => cell(without_extension(options.filename.as_deref())),
            Self::Sha256(_) => unreachable!("it is known only when the image has come"),
            Self::Prompt(n) => {
                let short = slug(&row.prompt.to_lowercase(), usize::from(*n)).into_owned();
                if short.is_empty() { EMPTY.into() } else { short.into() }
            }
            Self::Column(name) => cell(column(row, name).unwrap_or_default()),
        }
    }
}

/// A file's name without the extension of an image: that comes from the image.
fn without_extension(name: Option<&str>) -> &str {
    let name = name.unwrap_or_default();
    let is_image = |it: &&str| ["png", "jpg", "jpeg", "webp"].contains(&it.to_lowercase().as_str());
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_image(&extension) => stem,
        _ => name,
    }
}

/// A cell as a part of a name.
fn cell(text: &str) -> Cow<'_, str> {
    match slug(text, usize::from(MAX_PLACE)) {
        slug if slug.is_empty() => Cow::Borrowed(EMPTY),
        slug => slug,
    }
}

/// The text of a column that only the user knows; exactly so called, else nearly.
fn column<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    let wanted = normalized(name);
    let exact = row.extra.iter().find(|(column, _)| column == name);
    let near = || row.extra.iter().find(|(column, _)| normalized(column) == wanted);
    exact.or_else(near).map(|(_, text)| text.as_str())
}

/// Whether a row has a column of this name.
pub fn has_column(row: &Row, name: &str) -> bool {
    column(row, name).is_some()
}

/// What may be meant by the name of a column that no row has.
pub fn meant<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> Option<String> {
    closest(name, columns.chain(PLACES)).map(|meant| format!("{{{meant}}}"))
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.text)
    }
}

impl ImageName {
    /// The usual name of an image of a row.
    pub fn usual(scene_id: &str, variant: u8) -> Self {
        Self::plain(format!("{}-v{variant}", file_stem(scene_id)))
    }

    /// A name that is fit as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), digits: 0 }
    }

    /// A name in which a `*` stands for so many digits of the image's digest.
    pub fn with_digits(text: impl Into<String>, digits: u8) -> Self {
        Self { text: text.into(), digits }
    }

    /// The name of the image with this digest.
    pub fn of(&self, sha256: &Sha256Digest) -> Cow<'_, str> {
        if self.digits == 0 {
            return Cow::Borrowed(&self.text);
        }
        let digits = sha256.to_string();
        Cow::Owned(self.text.replace(DIGEST, &digits[..usize::from(self.digits)]))
    }

    /// What all names begin with that it may become.
    pub fn beginning(&self) -> &str {
        self.text.split(DIGEST).next().unwrap_or_default()
    }

    /// The name as a disk sees it that does not tell upper from lower case, whatever the image's
    /// digest: two images may be the same, and still are two files.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }

    /// The name in one folder, for what is no image.
    pub fn flat(&self) -> String {
        let flat = self.text.replace('/', ".").replace(DIGEST, "x");
        fit_part(&flat, 0).into_owned()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.text.replace(DIGEST, &"0".repeat(usize::from(self.digits))))
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::file_name::is_plain;
    use crate::domain::ids::SceneId;
    use crate::domain::row::{CanaryChoice, RowOptions, Variants};

    fn row(scene_id: &str, prompt: &str, color: &str) -> Row {
        Row {
            number: 7,
            line: 8,
            scene_id: SceneId::new(scene_id),
            prompt: prompt.to_owned(),
            variants: Variants::ONE,
            references: Vec::new(),
            options: RowOptions {
                tags: vec!["red".to_owned(), "low sun".to_owned()],
                ..RowOptions::default()
            },
            canary: CanaryChoice::Auto,
            extra: vec![("Shoe Color".to_owned(), color.to_owned())],
        }
    }

    fn name_of(template: &str, row: &Row) -> ImageName {
        let spec = ImageSpec {
            provider: "openai".into(),
            model: "gpt-image-2".into(),
            size: "1024x1024".into(),
            seed: Some(42),
            ..ImageSpec::unsaid()
        };
        let template: NameTemplate = template.parse().expect(template);
        let run_id = RunId::new(Uuid::from_u128(0x1a2_272d_2600 << 80 | 6));
        template.name(&NameFacts { run_id, row, variant: 2, spec: &spec })
    }

    #[test]
    fn every_place_has_its_value() {
        let row = row("Scene A", "A red shoe, on sand!", "dark/blue");
        for (template, expect) in [
            ("{scene_id}-v{variant}", "Scene-A-9d1e8a6c-v2"),
            ("{date}/{provider}_{model}.{seed}", "2026-11-29/openai_gpt-image-2.42"),
            ("{prompt:slug:10}-{variant}.{ext}", "a-red-shoe-2"),
            ("{prompt:5}{row}", "a-red7"),
            ("{prompt}", "a-red-shoe-on-sand"),
            ("{tags}/{size}", "red-low-sun/1024x1024"),
            ("{col:Shoe Color}", "dark-blue"),
            ("{shoe color}-x", "dark-blue-x"),
            ("{quality}{filename}", "nonenone"),
            ("{run}", "01a2272d-2600-0000-0000-000000000006"),
        ] {
            let name = name_of(template, &row).to_string();
            let name =
                name.replace(&crate::domain::file_name::file_stem("Scene A")[8..], "9d1e8a6c");
            assert_eq!(name, expect, "{template}");
        }
    }

    #[test]
    fn the_digest_comes_with_the_image() {
        let name = name_of("{scene_id}-{sha256:8}", &row("A", "p", ""));
        let digest = Sha256Digest::of(b"x");
        assert_eq!(name.of(&digest), format!("A-{}", &digest.to_string()[..8]));
        assert_eq!((name.beginning(), &*name.to_string()), ("A-", "A-00000000"));
        assert_eq!(
            name_of("{sha256}", &row("A", "p", "")),
            name_of("{sha256}", &row("B", "q", ""))
        );
    }

    #[test]
    fn what_no_file_system_takes_is_refused_in_the_template() {
        let check = |text: &str, expect: &str| {
            let error = text.parse::<NameTemplate>().expect_err(text);
            assert!(error.to_string().contains(expect), "{text}: {error}");
        };
        check("", "1 to 400 bytes");
        check("a{b", "a brace stands alone");
        check("a}b", "a brace stands alone");
        check("{a{b}}", "a brace stands alone");
        check("{}", "has no name");
        check("{col:}", "has no name");
        check("{sha256:5}", "a number from 6 to 64");
        check("{prompt:slug:900}", "a number from 1 to 80");
        check("{model:3}", "takes nothing after a colon");
        check("a b", "' ' cannot stand in a name");
        check("a:b", "':' cannot stand in a name");
        check("été", "'é' cannot stand in a name");
        check("/a", "has no name of its own");
        check("a//b", "has no name of its own");
        check("../{scene_id}", "has no name of its own");
        check("a/./b", "has no name of its own");
        check("a/b/c/d/e/f", "more than 4 folders");
        check("{sha256}-{sha256:6}", "stands once, and in the name of the file");
        check("{sha256}/{scene_id}", "stands once, and in the name of the file");
    }

    proptest! {
        #[test]
        fn a_name_stays_in_its_folder_whatever_stands_in_the_cells(
            template in "[a-z{}/._:-]{1,12}|[{]scene_id[}]/[{]color[}]|[.][{]color[}][.]",
            scene in any::<String>(),
            color in any::<String>(),
        ) {
            let Ok(parsed) = template.parse::<NameTemplate>() else { return Ok(()) };
            let mut row = row("A", &color, &color);
            row.scene_id = SceneId::new(scene);
            row.extra.push(("color".to_owned(), color));
            let spec = ImageSpec::unsaid();
            let facts = NameFacts {
                run_id: RunId::new(Uuid::nil()),
                row: &row,
                variant: 1,
                spec: &spec,
            };
            let name = parsed.name(&facts).of(&Sha256Digest([7; 32])).into_owned();
            let path = Path::new(&name);
            prop_assert!(path.components().all(|it| matches!(it, Component::Normal(_))), "{name}");
            for part in name.split('/') {
                prop_assert!(part.len() <= 120 && !part.starts_with('.') && !part.ends_with('.'));
                prop_assert!(part.chars().all(is_plain), "{name:?}");
            }
        }
    }
}
