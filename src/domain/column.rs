//! Columns: the names that imagemill knows, with their aliases.

/// A column that imagemill knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The name of the row.
    SceneId,
    /// What to draw.
    Prompt,
    /// How many images.
    Variants,
    /// The input images.
    References,
    /// The provider.
    Provider,
    /// The model.
    Model,
    /// The size.
    Size,
    /// The quality.
    Quality,
    /// The file format.
    Format,
    /// The background.
    Background,
    /// The seed.
    Seed,
    /// What not to draw.
    NegativePrompt,
    /// Free tags.
    Tags,
    /// The urgency.
    Priority,
    /// The most that one image may cost.
    MaxCost,
    /// The mask image.
    Mask,
    /// The wanted file name.
    Filename,
    /// The part that the row takes in a canary.
    Canary,
}

/// How many fields there are.
pub const N_FIELDS: usize = 18;
/// The least likeness (0 to 1) at which a misspelt name is worth a suggestion.
const LEAST_LIKENESS: f64 = 0.75;

impl Field {
    /// Every field, in the order of their documentation.
    pub const ALL: [Self; N_FIELDS] = [
        Self::SceneId,
        Self::Prompt,
        Self::Variants,
        Self::References,
        Self::Provider,
        Self::Model,
        Self::Size,
        Self::Quality,
        Self::Format,
        Self::Background,
        Self::Seed,
        Self::NegativePrompt,
        Self::Tags,
        Self::Priority,
        Self::MaxCost,
        Self::Mask,
        Self::Filename,
        Self::Canary,
    ];

    /// The names that a column of this field may have; the first is the field's own.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::SceneId => &["scene_id", "id", "custom_id", "key"],
            Self::Prompt => &["prompt"],
            Self::Variants => &["variants", "n"],
            Self::References => &["reference_urls", "reference_url", "references"],
            Self::Provider => &["provider"],
            Self::Model => &["model"],
            Self::Size => &["size"],
            Self::Quality => &["quality"],
            Self::Format => &["format"],
            Self::Background => &["background"],
            Self::Seed => &["seed"],
            Self::NegativePrompt => &["negative_prompt"],
            Self::Tags => &["tags"],
            Self::Priority => &["priority"],
            Self::MaxCost => &["max_cost"],
            Self::Mask => &["mask"],
            Self::Filename => &["filename"],
            Self::Canary => &["canary"],
        }
    }

    /// The field's own name.
    pub const fn name(self) -> &'static str {
        self.names()[0]
    }

    /// The field of a column name that was normalized by [`normalized`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.names().contains(&name))
    }

    /// Whether a cell of the field is a list: texts separated by `|`, or a JSON array of texts.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::References | Self::Tags)
    }
}

/// What people call a column of references when they do not look it up.
const CALLED_REFERENCES: [&str; 12] = [
    "ref",
    "refs",
    "refurl",
    "refurls",
    "image",
    "images",
    "imageurl",
    "imageurls",
    "inputimage",
    "inputimages",
    "referenceimage",
    "referenceimages",
];
/// In a name of so many letters two slips are still the same name; in a shorter one, one is.
const LONG_NAME: usize = 8;

/// The field that a column of the user's own was probably meant to be: its name is one of the
/// field's but for a slip or two, or what people call it.
pub fn meant(normalized: &str) -> Option<Field> {
    let letters =
        |name: &str| -> String { name.chars().filter(|one| one.is_alphanumeric()).collect() };
    let name = letters(normalized);
    if CALLED_REFERENCES.contains(&name.as_str()) {
        return Some(Field::References);
    }
    let is_near = |own: &str| {
        let slips = strsim::osa_distance(&name, &letters(own));
        slips == 0 || own.len() > 5 && slips <= if own.len() < LONG_NAME { 1 } else { 2 }
    };
    Field::ALL.into_iter().find(|field| field.names().iter().any(|own| is_near(own)))
}

/// A column name as it is compared: without blanks around it, in lower case.
pub fn normalized(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The one of `candidates` that `wanted` was probably meant to be.
pub fn closest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(wanted, &normalized(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_lead_to_their_field() {
        for (name, field) in [
            (" Scene_ID ", Some(Field::SceneId)),
            ("custom_id", Some(Field::SceneId)),
            ("N", Some(Field::Variants)),
            ("references", Some(Field::References)),
            ("max_cost", Some(Field::MaxCost)),
            ("promt", None),
            ("", None),
        ] {
            assert_eq!(Field::from_name(&normalized(name)), field, "{name:?}");
        }
        assert!(Field::ALL.iter().enumerate().all(|(index, field)| *field as usize == index));
    }

    #[test]
    fn a_column_that_was_meant_to_be_a_field_is_known() {
        for (name, field) in [
            ("ref_url", Some(Field::References)),
            ("reference", Some(Field::References)),
            ("referenceurls", Some(Field::References)),
            ("reference-urls", Some(Field::References)),
            ("refrence_urls", Some(Field::References)),
            ("image", Some(Field::References)),
            ("qualty", Some(Field::Quality)),
            ("scene id", Some(Field::SceneId)),
            ("promt", Some(Field::Prompt)),
            ("negative prompt", Some(Field::NegativePrompt)),
            ("color", None),
            ("model_year", None),
            ("sizes", None),
            ("mode", None),
            ("notes", None),
            ("title", None),
            ("style", None),
        ] {
            assert_eq!(meant(name), field, "{name:?}");
        }
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion_and_a_strange_one_none() {
        let columns = ["scene_id", "promt", "variants", "reference_url"];
        assert_eq!(closest("prompt", columns), Some("promt"));
        assert_eq!(closest("prompt", ["id", "color", "shape"]), None);
    }
}
