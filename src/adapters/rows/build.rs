//! Builds a row from a checked record, and the name of a row that has none.

use sha2::{Digest, Sha256};

use crate::adapters::rows::cells::Record;
use crate::adapters::rows::check::{Checked, fill_prompt};
use crate::domain::cell::for_each_item;
use crate::domain::column::Field;
use crate::domain::ids::SceneId;
use crate::domain::reference::Reference;
use crate::domain::row::{Row, RowBrief, RowOptions, RowWants};

/// Hexadecimal digits of the digest in a derived name.
const NAME_DIGITS: usize = 12;

/// The row's name: its own, or `row-` and a digest of its content, written to `buffer`.
///
/// The content is every cell that is not empty, by canonical column name, so that the order of
/// the columns and the format of the input do not matter.
pub(crate) fn name_of<'a>(
    record: &Record<'_>,
    checked: &Checked<'a>,
    buffer: &'a mut String,
) -> &'a str {
    if let Some(scene_id) = checked.scene_id {
        return scene_id;
    }
    buffer.clear();
    let mut digest = Sha256::new();
    let mut feed = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    };
    for (column, one) in record.columns.canonical() {
        let text = record.text(column);
        if text.is_empty() {
            continue;
        }
        let mut is_named = false;
        let mut feed_item = |item: &str| {
            if !is_named {
                feed(one.canonical_name());
                is_named = true;
            }
            feed(item);
            Ok(())
        };
        // The lists were checked; one that is broken belongs to a bad row, whose name is unused.
        let _ = match one.field {
            Some(field) if field.is_list() => for_each_item(text, &mut feed_item),
            _ => feed_item(text),
        };
        if is_named {
            feed("");
        }
    }
    buffer.push_str("row-");
    for byte in digest.finalize().iter().take(NAME_DIGITS / 2) {
        for half in [byte >> 4, byte & 15] {
            buffer.push(char::from_digit(u32::from(half), 16).expect("half a byte is a digit"));
        }
    }
    buffer
}

/// What the planning pass needs of a checked record.
///
/// `filled` is the prompt with its places filled, for a prompt that has places.
pub(crate) fn brief<'a>(
    number: u64,
    checked: &Checked<'a>,
    name: &'a str,
    filled: &str,
) -> RowBrief<'a> {
    let n_prompt_bytes = if checked.has_places { filled.len() } else { checked.prompt.len() };
    RowBrief {
        number,
        references: checked.references,
        mask: checked.mask_text,
        n_prompt_bytes: u32::try_from(n_prompt_bytes).expect("prompts are short"),
        scene_id: name,
        variants: checked.variants,
        n_url_references: checked.n_url_references,
        n_local_references: checked.n_local_references,
        provider: checked.provider,
        model: checked.model,
        size: checked.size,
        quality: checked.quality,
        max_cost: checked.max_cost,
        canary: checked.canary,
        wants: RowWants {
            seed: checked.seed.is_some(),
            negative_prompt: checked.negative_prompt.is_some(),
            mask: checked.mask,
        },
    }
}

/// The whole row of a checked record.
pub(crate) fn row(
    record: &Record<'_>,
    checked: &Checked<'_>,
    name: &str,
    number: u64,
    line: u64,
) -> Row {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut prompt = checked.prompt.to_owned();
    if checked.has_places {
        let mut filled = String::new();
        if fill_prompt(record, checked.prompt, &mut filled).is_ok() {
            prompt = filled;
        }
    }
    Row {
        number,
        line,
        scene_id: SceneId::new(name),
        prompt,
        variants: checked.variants,
        references: items(record, Field::References)
            .iter()
            .filter_map(|item| Reference::parse(item).ok())
            .collect(),
        options: RowOptions {
            provider: owned(checked.provider),
            model: owned(checked.model),
            size: owned(checked.size),
            quality: owned(checked.quality),
            format: owned(checked.format),
            background: owned(checked.background),
            seed: checked.seed,
            negative_prompt: owned(checked.negative_prompt),
            tags: items(record, Field::Tags),
            priority: checked.priority,
            max_cost: checked.max_cost,
            mask: record.field(Field::Mask).and_then(|(_, text)| Reference::parse(text).ok()),
            filename: owned(checked.filename),
        },
        canary: checked.canary,
        extra: extra(record),
    }
}

/// The cells in the columns of the user's own; empty ones are no cells, as in JSON.
fn extra(record: &Record<'_>) -> Vec<(String, String)> {
    let columns = record.columns.list().iter().enumerate();
    columns
        .filter(|(_, column)| column.field.is_none() && !column.name.is_empty())
        .map(|(index, column)| (column.name.clone(), record.text(index).to_owned()))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

fn items(record: &Record<'_>, field: Field) -> Vec<String> {
    let mut items = Vec::new();
    if let Some((_, text)) = record.field(field) {
        let kept = for_each_item(text, |item| {
            items.push(item.to_owned());
            Ok(())
        });
        debug_assert!(kept.is_ok(), "the list was checked");
    }
    items
}
