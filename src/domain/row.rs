//! Rows: one validated input record, and the small checked values it is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::ids::SceneId;
use crate::domain::reference::{Reference, ReferenceKind};

/// The most variants that one row may ask for.
pub const MAX_VARIANTS: u8 = 10;

/// How many images a row asks for: 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Variants(u8);

/// Why a text is no number of variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantsError {
    /// The text is no whole number.
    #[error("not a whole number")]
    NotANumber,
    /// The number is outside 1 to 10.
    #[error("variants must be 1 to {MAX_VARIANTS}")]
    OutOfRange,
}

impl Variants {
    /// One image, the default.
    pub const ONE: Self = Self(1);

    /// The number of images.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The variants one by one, counted from 1.
    pub fn each(self) -> impl Iterator<Item = u8> {
        1..=self.0
    }
}

impl TryFrom<u8> for Variants {
    type Error = VariantsError;

    fn try_from(number: u8) -> Result<Self, VariantsError> {
        if (1..=MAX_VARIANTS).contains(&number) {
            Ok(Self(number))
        } else {
            Err(VariantsError::OutOfRange)
        }
    }
}

impl From<Variants> for u8 {
    fn from(variants: Variants) -> Self {
        variants.0
    }
}

impl FromStr for Variants {
    type Err = VariantsError;

    /// Reads plain digits; blanks, signs and points are refused.
    fn from_str(text: &str) -> Result<Self, VariantsError> {
        if let [digit @ b'1'..=b'9'] = text.as_bytes() {
            return Ok(Self(digit - b'0'));
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(VariantsError::NotANumber);
        }
        text.parse::<u8>().map_err(|_| VariantsError::OutOfRange)?.try_into()
    }
}

/// What the `canary` column of a row says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CanaryChoice {
    /// The order decides.
    #[default]
    Auto,
    /// The row is part of every canary share.
    Always,
    /// The row is sent only when every row is.
    Never,
}

/// What a row may set for itself; everything else comes from the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowOptions {
    /// The provider to use.
    pub provider: Option<String>,
    /// The model to use.
    pub model: Option<String>,
    /// The size in pixels, such as `1024x1024`, or the provider's own word for it.
    pub size: Option<String>,
    /// The provider's word for the quality.
    pub quality: Option<String>,
    /// The file format asked for: `png`, `jpeg` or `webp`.
    pub format: Option<String>,
    /// The background asked for: `auto`, `opaque` or `transparent`.
    pub background: Option<String>,
    /// The seed asked for; no provider promises reproduction.
    pub seed: Option<u64>,
    /// What the image must not show.
    pub negative_prompt: Option<String>,
    /// Free tags, separated by `|` in the input.
    pub tags: Vec<String>,
    /// A larger number is more urgent; kept and echoed.
    pub priority: Option<i64>,
    /// The most that one image of this row may cost at worst.
    pub max_cost: Option<crate::domain::money::NanoUsd>,
    /// A mask image beside the references.
    pub mask: Option<Reference>,
    /// The file name wanted for the images; kept and echoed.
    pub filename: Option<String>,
}

/// One validated input record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Position among the data records, counted from 1; a CSV header is not counted.
    pub number: u64,
    /// Line of the input at which the record starts, counted from 1.
    pub line: u64,
    /// Its name; derived from its content when the input gives none.
    pub scene_id: SceneId,
    /// The prompt with its `{column}` places filled.
    pub prompt: String,
    /// How many images it asks for.
    pub variants: Variants,
    /// Its input images in their order.
    pub references: Vec<Reference>,
    /// What it sets for itself.
    pub options: RowOptions,
    /// What its `canary` column says.
    pub canary: CanaryChoice,
    /// Columns that imagemill does not know, as name and text in the input's order.
    pub extra: Vec<(String, String)>,
}

/// What the planning pass needs of a row, borrowed from the reader's buffer.
#[derive(Clone, Copy, Debug)]
pub struct RowBrief<'a> {
    /// Its number among the data records, counted from 1.
    pub number: u64,
    /// The name of the row.
    pub scene_id: &'a str,
    /// How many images it asks for.
    pub variants: Variants,
    /// How many references have a URL (`https`, `http`, `gs`, `s3`, `az`).
    pub n_url_references: u32,
    /// How many references are local files.
    pub n_local_references: u32,
    /// Its references as they stand in the input: a list with `|`, or a JSON array.
    pub references: &'a str,
    /// Its mask as it stands in the input; empty when there is none.
    pub mask: &'a str,
    /// Bytes of its prompt as it is sent, for providers that bill the prompt.
    pub n_prompt_bytes: u32,
    /// The provider it sets, if any.
    pub provider: Option<&'a str>,
    /// The model it sets, if any.
    pub model: Option<&'a str>,
    /// The size it sets, if any.
    pub size: Option<&'a str>,
    /// The quality it sets, if any.
    pub quality: Option<&'a str>,
    /// The most that one of its images may cost at worst, if it says so.
    pub max_cost: Option<crate::domain::money::NanoUsd>,
    /// What its `canary` column says.
    pub canary: CanaryChoice,
    /// What not every provider takes.
    pub wants: RowWants,
}

/// What a row asks for that not every provider takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowWants {
    /// A seed.
    pub seed: bool,
    /// What the image must not show.
    pub negative_prompt: bool,
    /// A mask, and what it is.
    pub mask: Option<ReferenceKind>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every image was made and stored.
    Ok,
    /// Some images were made, others not.
    Partial,
    /// No image was made.
    Failed,
    /// The provider's content policy refused it.
    Refused,
    /// We declined it before money moved.
    Rejected,
    /// It lies outside the canary share.
    Held,
    /// It was done already.
    Skipped,
    /// The run was stopped before it was sent.
    Cancelled,
    /// It was sent and its answer is not known.
    Unknown,
}

impl Outcome {
    /// The outcome as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// Whether something was sent to the provider for the row.
    pub const fn was_sent(self) -> bool {
        match self {
            Self::Ok | Self::Partial | Self::Failed | Self::Refused | Self::Unknown => true,
            Self::Rejected | Self::Held | Self::Skipped | Self::Cancelled => false,
        }
    }

    /// Whether the row counts as an error in the gate metric `errors`.
    pub const fn is_error(self) -> bool {
        match self {
            Self::Partial | Self::Failed | Self::Unknown => true,
            Self::Ok
            | Self::Refused
            | Self::Rejected
            | Self::Held
            | Self::Skipped
            | Self::Cancelled => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_plain_digits_from_one_to_ten() {
        for (text, number) in [("1", 1), ("3", 3), ("10", 10), ("03", 3)] {
            assert_eq!(text.parse::<Variants>().map(Variants::get), Ok(number), "{text}");
        }
        for text in ["", " 2", "2 ", "-1", "+1", "1.0", "nine"] {
            assert_eq!(text.parse::<Variants>(), Err(VariantsError::NotANumber), "{text:?}");
        }
        for text in ["0", "11", "1000000000", "256"] {
            assert_eq!(text.parse::<Variants>(), Err(VariantsError::OutOfRange), "{text:?}");
        }
    }
}
