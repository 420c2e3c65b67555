//! Why a row cannot be run with its references: by the gate, or by what was found out later.

use std::collections::BTreeMap;

use crate::adapters::rows;
use crate::domain::cell::{CellFault, for_each_item};
use crate::domain::column::Field;
use crate::domain::egress::check_url;
use crate::domain::fetch::StoreKind;
use crate::domain::reference::Reference;
use crate::domain::row::RowBrief;
use crate::domain::settings::RunSettings;

/// Rows that were refused after they had been read, by their number, with the reason.
pub(super) type Refused = BTreeMap<u64, RefusedRow>;

/// Why a row was refused after it had been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedRow {
    /// Which of its references is at fault, counted from 0; the mask stands behind them. Nothing
    /// when the reason names it already.
    pub(super) reference: Option<usize>,
    /// Why.
    pub(super) reason: String,
}

/// The gate of the planning pass. It remembers the origin that it let through last: rows share
/// hosts, and the rest of an address was checked with its cell.
pub(super) struct PlanGate<'a> {
    settings: &'a RunSettings,
    /// Scheme, host and port with the slash behind them; empty before the first.
    passed: String,
}

impl<'a> PlanGate<'a> {
    pub(super) const fn new(settings: &'a RunSettings) -> Self {
        Self { settings, passed: String::new() }
    }

    pub(super) fn objection(&mut self, field: Field, text: &str) -> Option<rows::Objection> {
        if !self.passed.is_empty() && text.starts_with(&self.passed) {
            return None;
        }
        let objection = url_objection(self.settings, field, text);
        let origin = text.find("://").and_then(|at| text[at + 3..].find('/').map(|n| at + 4 + n));
        if let (None, Some(end)) = (&objection, origin) {
            text[..end].clone_into(&mut self.passed);
        }
        objection
    }
}

/// The gate's answer to an address, where it can be given before the address is asked.
fn url_objection(settings: &RunSettings, field: Field, text: &str) -> Option<rows::Objection> {
    let scheme = text.split(':').next().unwrap_or_default();
    if StoreKind::of_scheme(scheme).is_some() {
        return None;
    }
    let error = check_url(text, None, &settings.fetch.allowed).err()?;
    let fix = "name an address that anybody may ask, or open it with --allow-refs-from";
    let title = "a reference must not be fetched from there";
    let fault = CellFault::new("row.reference_gate", title, error.to_string(), fix);
    Some(rows::Objection { field, fault })
}

/// A row that was refused after it had been read: its references cannot be used.
pub(super) fn refusal(brief: &RowBrief<'_>, refused: &RefusedRow) -> rows::Objection {
    let mut all = Vec::new();
    // The list was checked when the row was read.
    let _ = for_each_item(brief.references, |item| {
        all.push(item.to_owned());
        Ok(())
    });
    let n_references = all.len();
    all.extend((!brief.mask.is_empty()).then(|| brief.mask.to_owned()));
    let names: Vec<String> = all
        .iter()
        .map(|text| Reference::parse(text).map_or(String::new(), |it| it.redacted().to_string()))
        .collect();
    let at = refused.reference.or_else(|| {
        names.iter().position(|name| !name.is_empty() && refused.reason.contains(name.as_str()))
    });
    let label = match refused.reference.and_then(|at| names.get(at)) {
        Some(name) => format!("{name} {}", refused.reason),
        None => refused.reason.clone(),
    };
    let is_mask = at.is_some_and(|at| at >= n_references);
    let title = "a reference of this row cannot be used";
    let fix = "mend the reference, or remove the row";
    rows::Objection {
        field: if is_mask { Field::Mask } else { Field::References },
        fault: CellFault::new("row.reference_use", title, label, fix),
    }
}
