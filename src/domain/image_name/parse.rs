//! Reads a template of names.

use std::str::FromStr;

use super::{MAX_PARTS, MAX_PLACE, NameTemplate, Piece, Place};
use crate::domain::file_name::is_plain;

/// The most bytes of a template.
const MAX_TEMPLATE: usize = 400;

/// Digits of an image's digest, and bytes of a prompt, where a place does not say how many.
const USUAL_DIGITS: u8 = 12;
const USUAL_PROMPT: u8 = 40;

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A brace without the other one.
    #[error("a brace stands alone in {0:?}")]
    Brace(String),
    /// A place without a name.
    #[error("{{}} has no name")]
    NoName,
    /// A number that is none, or too large.
    #[error("{{{place}}} takes a number from {least} to {most}")]
    Number {
        /// The place.
        place: String,
        /// The smallest.
        least: u8,
        /// The largest.
        most: u8,
    },
    /// A place that takes no number.
    #[error("{{{0}}} takes nothing after a colon")]
    NoNumber(String),
    /// A character that some file system does not take.
    #[error(
        "{0:?} cannot stand in a name: letters A to Z, digits, point, _ and - can, / for a folder"
    )]
    Character(char),
    /// A folder without a name, or a way out of the folder of images.
    #[error("a folder or a file in it has no name of its own")]
    Part,
    /// The digest stands twice, or in the name of a folder.
    #[error("{{sha256}} stands once, and in the name of the file")]
    Digest,
    /// Too many folders.
    #[error("it has more than {} folders", MAX_PARTS - 1)]
    Deep,
    /// Too long, or nothing at all.
    #[error("it must have 1 to {MAX_TEMPLATE} bytes")]
    Length,
}

impl FromStr for NameTemplate {
    type Err = NameError;

    /// Reads a template; a final `.{ext}` may be written, it is always there.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let text = text.strip_suffix(".{ext}").unwrap_or(text);
        if text.is_empty() || text.len() > MAX_TEMPLATE {
            return Err(NameError::Length);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, after) = rest.find('{').map_or((rest, ""), |at| rest.split_at(at));
            if plain.contains('}') {
                return Err(NameError::Brace(text.to_owned()));
            }
            if let Some(bad) = plain.chars().find(|it| !is_plain(*it) && *it != '/') {
                return Err(NameError::Character(bad));
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            if after.is_empty() {
                break;
            }
            let close = after.find('}').ok_or_else(|| NameError::Brace(text.to_owned()))?;
            if after[1..close].contains('{') {
                return Err(NameError::Brace(text.to_owned()));
            }
            pieces.push(Piece::Place(Place::parse(&after[1..close])?));
            rest = &after[close + 1..];
        }
        let is_digest = |piece: &&Piece| matches!(piece, Piece::Place(Place::Sha256(_)));
        let n_digests = pieces.iter().filter(is_digest).count();
        let parts: Vec<&str> = text.split('/').collect();
        let (_, file) = text.rsplit_once('/').unwrap_or(("", text));
        // A folder is made before the image is there.
        if n_digests > 1 || n_digests == 1 && !file.contains("{sha256") {
            return Err(NameError::Digest);
        }
        if parts.iter().any(|part| part.is_empty() || part.trim_matches('.').is_empty()) {
            return Err(NameError::Part);
        }
        if parts.len() > MAX_PARTS {
            return Err(NameError::Deep);
        }
        Ok(Self { text: text.to_owned(), pieces })
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, NameError> {
        let (name, rest) =
            text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let number = |text: Option<&str>, usual: u8, least: u8, most: u8| match text {
            None => Ok(usual),
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|n| (least..=most).contains(n))
                .ok_or_else(|| NameError::Number { place: name.to_owned(), least, most }),
        };
        let plain = match name {
            "col" if rest.is_some_and(|rest| !rest.trim().is_empty()) => {
                return Ok(Self::Column(rest.unwrap_or_default().to_owned()));
            }
            "" | "col" => return Err(NameError::NoName),
            "sha256" => return Ok(Self::Sha256(number(rest, USUAL_DIGITS, 6, 64)?)),
            "prompt" => {
                let rest = match rest {
                    Some("slug") | None => None,
                    Some(rest) => Some(rest.strip_prefix("slug:").unwrap_or(rest)),
                };
                return Ok(Self::Prompt(number(rest, USUAL_PROMPT, 1, MAX_PLACE)?));
            }
            "scene_id" => Self::SceneId,
            "variant" => Self::Variant,
            "row" => Self::RowNumber,
            "run" => Self::Run,
            "date" => Self::Date,
            "provider" => Self::Provider,
            "model" => Self::Model,
            "size" => Self::Size,
            "quality" => Self::Quality,
            "format" => Self::Format,
            "seed" => Self::Seed,
            "tags" => Self::Tags,
            "filename" => Self::Filename,
            _ => Self::Column(name.to_owned()),
        };
        match rest {
            None => Ok(plain),
            Some(_) => Err(NameError::NoNumber(name.to_owned())),
        }
    }
}
