//! Checks every cell of a record by the rules of its column, without copying any.

use crate::adapters::rows::cells::Record;
use crate::adapters::rows::problem::Problem;
use crate::domain::cell::{self, CellFault};
use crate::domain::column::{Field, closest};
use crate::domain::money::NanoUsd;
use crate::domain::reference::ReferenceKind;
use crate::domain::row::{CanaryChoice, Variants};
use crate::domain::template;

/// The most bytes of a filled prompt: its characters have at most four bytes each.
const MAX_FILLED_BYTES: usize = 4 * cell::MAX_PROMPT_CHARS;
const FORMATS: &[&str] = &["png", "jpeg", "webp"];
const BACKGROUNDS: &[&str] = &["auto", "opaque", "transparent"];

/// What the cells of a record say; sound only when no problem was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked<'a> {
    pub(crate) scene_id: Option<&'a str>,
    pub(crate) prompt: &'a str,
    /// Whether the prompt can have places.
    pub(crate) has_places: bool,
    pub(crate) variants: Variants,
    pub(crate) n_url_references: u32,
    pub(crate) n_local_references: u32,
    /// The references as they stand in their cell.
    pub(crate) references: &'a str,
    /// The mask as it stands in its cell.
    pub(crate) mask_text: &'a str,
    pub(crate) provider: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) size: Option<&'a str>,
    pub(crate) quality: Option<&'a str>,
    pub(crate) format: Option<&'a str>,
    pub(crate) background: Option<&'a str>,
    pub(crate) seed: Option<u64>,
    pub(crate) mask: Option<ReferenceKind>,
    pub(crate) negative_prompt: Option<&'a str>,
    pub(crate) priority: Option<i64>,
    pub(crate) max_cost: Option<NanoUsd>,
    pub(crate) filename: Option<&'a str>,
    pub(crate) canary: CanaryChoice,
}

/// Collects the problems of one record.
struct Checker<'r, 'a> {
    record: &'r Record<'a>,
    problems: &'r mut Vec<Problem>,
}

/// Checks a record; the problems found are added to `problems`.
///
/// `filled` is a buffer for the prompt with its places filled.
pub(crate) fn check<'a>(
    record: &Record<'a>,
    filled: &mut String,
    problems: &mut Vec<Problem>,
) -> Checked<'a> {
    let mut checker = Checker { record, problems };
    if record.is_object && record.cells.iter().any(|cell| cell.is_nested) {
        checker.nested();
    }
    let scene_id = checker.given(Field::SceneId, |text| cell::check_scene_id(text).map(|()| text));
    let (prompt, has_places) = checker.prompt(filled);
    let variants = checker.given(Field::Variants, cell::parse_variants).unwrap_or(Variants::ONE);
    let (n_url_references, n_local_references) = checker.references();
    checker.tags();
    let mask = checker.given(Field::Mask, cell::check_reference);
    let text = |field: Field| record.field(field).map_or("", |(_, text)| text);
    Checked {
        mask,
        references: text(Field::References),
        mask_text: text(Field::Mask),
        scene_id,
        prompt,
        has_places,
        variants,
        n_url_references,
        n_local_references,
        provider: checker.word(Field::Provider, "row.provider"),
        model: checker.word(Field::Model, "row.model"),
        size: checker.word(Field::Size, "row.size"),
        quality: checker.word(Field::Quality, "row.quality"),
        format: checker.choice(Field::Format, "row.format", FORMATS),
        background: checker.choice(Field::Background, "row.background", BACKGROUNDS),
        seed: checker.given(Field::Seed, cell::parse_seed),
        negative_prompt: checker.given(Field::NegativePrompt, |text| {
            cell::check_text("row.negative_prompt", "negative_prompt", text).map(|()| text)
        }),
        priority: checker.given(Field::Priority, cell::parse_priority),
        max_cost: checker.given(Field::MaxCost, cell::parse_max_cost),
        filename: checker.given(Field::Filename, |text| cell::check_filename(text).map(|()| text)),
        canary: checker.given(Field::Canary, cell::parse_canary).unwrap_or_default(),
    }
}

/// Writes the prompt with its places filled from the record's own cells.
pub(crate) fn fill_prompt(
    record: &Record<'_>,
    prompt: &str,
    filled: &mut String,
) -> Result<(), template::TooLong> {
    filled.clear();
    template::fill(prompt, filled, MAX_FILLED_BYTES, |name| place_value(record, name))
}

fn place_value<'a>(record: &Record<'a>, name: &str) -> Option<&'a str> {
    let column = record.columns.find(name)?;
    // A prompt cannot be filled with itself.
    let is_prompt = record.columns.list()[column].field == Some(Field::Prompt);
    (!is_prompt).then(|| record.text(column))
}

impl<'a> Checker<'_, 'a> {
    #[inline]
    fn given<T>(
        &mut self,
        field: Field,
        rule: impl FnOnce(&'a str) -> Result<T, CellFault>,
    ) -> Option<T> {
        let column = self.record.given(field)?;
        match rule(self.record.text(column)) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.problems.push(Problem::of_cell(self.record, column, fault));
                None
            }
        }
    }

    #[inline]
    fn word(&mut self, field: Field, code: &'static str) -> Option<&'a str> {
        self.given(field, |text| cell::check_word(code, field.name(), text).map(|()| text))
    }

    #[inline]
    fn choice(
        &mut self,
        field: Field,
        code: &'static str,
        choices: &'static [&'static str],
    ) -> Option<&'a str> {
        self.given(field, |text| cell::check_choice(code, field.name(), choices, text))
    }

    /// The prompt, and whether it can have places.
    #[inline]
    fn prompt(&mut self, filled: &mut String) -> (&'a str, bool) {
        let Some((column, text)) = self.record.field(Field::Prompt) else {
            self.missing_prompt();
            return ("", false);
        };
        if cell::is_simple_prompt(text) {
            return (text, false);
        }
        (text, self.other_prompt(column, text, filled))
    }

    fn other_prompt(&mut self, column: usize, text: &'a str, filled: &mut String) -> bool {
        let has_places = template::has_places(text);
        let checked = cell::check_prompt(text).and_then(|()| {
            if !has_places {
                return Ok(());
            }
            fill_prompt(self.record, text, filled)
                .map_err(|_| cell::prompt_too_long("too long once its places are filled"))?;
            cell::check_prompt(filled)?;
            // A place that no column of this row fills may still be filled with nothing when a
            // later row of a JSON input brings the column, so it counts as nothing here.
            filled.clear();
            let plain = |name: &str| template::is_plain_name(name).then_some("");
            let value_of = |name: &str| place_value(self.record, name).or_else(|| plain(name));
            template::fill(text, filled, MAX_FILLED_BYTES, value_of)
                .map_err(|_| cell::prompt_too_long("too long once its places are filled"))?;
            if filled.trim().is_empty() {
                let title = "prompt must not be empty";
                let label = "nothing is left once its places are filled";
                return Err(CellFault::new("row.prompt", title, label, "fill the named column"));
            }
            Ok(())
        });
        if let Err(fault) = checked {
            self.problems.push(Problem::of_cell(self.record, column, fault));
        }
        has_places
    }

    /// Only rows of JSON can lack a prompt; in CSV the header would.
    fn missing_prompt(&mut self) {
        let names = || {
            let given = self.record.columns.list().iter().zip(self.record.cells);
            given.filter(|(_, cell)| cell.raw_end > 0).map(|(column, _)| column)
        };
        let own = names().filter(|column| column.field.is_none()).map(|one| one.name.as_str());
        let fix = match closest(Field::Prompt.name(), own) {
            Some(near) => format!("rename \"{near}\" to \"prompt\""),
            None => "write a prompt".to_owned(),
        };
        let title = "the row has no \"prompt\"";
        let fault = CellFault::new("row.prompt", title, "no prompt in this row", fix);
        self.problems.push(Problem::of_record(Some(Field::Prompt.name()), fault));
    }

    fn references(&mut self) -> (u32, u32) {
        let (mut n_urls, mut n_locals) = (0, 0);
        self.given(Field::References, |text| {
            cell::for_each_item(text, |item| {
                match cell::check_reference(item)? {
                    ReferenceKind::Url => n_urls += 1,
                    ReferenceKind::Local => n_locals += 1,
                }
                at_most(n_urls + n_locals, cell::MAX_REFERENCES, "row.reference", "references")
            })
        });
        (n_urls, n_locals)
    }

    fn tags(&mut self) {
        let mut n_tags = 0;
        self.given(Field::Tags, |text| {
            cell::check_text("row.tags", "tags", text)?;
            // An item of a JSON array can have a character that the cell only writes down.
            let has_escapes = text.contains('\\');
            cell::for_each_item(text, |item| {
                n_tags += 1;
                at_most(n_tags, cell::MAX_TAGS, "row.tags", "tags")?;
                if has_escapes { cell::check_text("row.tags", "tags", item) } else { Ok(()) }
            })
        });
    }

    fn nested(&mut self) {
        for (column, one) in self.record.cells.iter().enumerate() {
            let known = self.record.columns.list()[column].field;
            if let Some(field) = known.filter(|_| one.is_nested) {
                let title = format!("{} must be a text or a number", field.name());
                let fault = CellFault::new("row.json", title, "a nested value", "correct the cell");
                self.problems.push(Problem::of_cell(self.record, column, fault));
            }
        }
    }
}

fn at_most(
    count: u32,
    limit: usize,
    code: &'static str,
    name: &'static str,
) -> Result<(), CellFault> {
    if count as usize <= limit {
        return Ok(());
    }
    let title = format!("a row must have at most {limit} {name}");
    Err(CellFault::new(code, title, "too many", "remove some"))
}
