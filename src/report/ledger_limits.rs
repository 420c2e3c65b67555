//! The limits of the ledger.

use std::fmt::Write;

use serde::Serialize;

use crate::domain::ledger::reading::LimitUse;
use crate::domain::ledger::{LimitOrigin, LimitScope};
use crate::domain::sanitize::one_line;
use crate::report::ledger::document;
use crate::report::words;

/// A scope as it stands behind an amount.
pub fn per(scope: &LimitScope) -> String {
    match scope {
        LimitScope::Day => "a day".to_owned(),
        LimitScope::Window => "in any 24 hours".to_owned(),
        LimitScope::Model(model) => format!("a day for model {}", one_line(model)),
        LimitScope::EveryRun => "a run".to_owned(),
        LimitScope::Run(run) => format!("for run {}", run.alias()),
        LimitScope::Image => "an image".to_owned(),
    }
}

/// A limit with what is left of it: the rest of a sentence.
pub(super) fn in_words(it: &LimitUse) -> String {
    let mut text = format!("{} {}", words::dollars(it.limit.value), per(&it.limit.scope));
    if let Some(exposure) = it.exposure {
        let left = it.limit.value.minus_or_zero(exposure);
        let _ = write!(text, ", {} left", words::dollars_at_least(left));
    }
    text
}

/// Every limit in force, one a line.
pub fn limits(limits: &[LimitUse]) -> String {
    let mut text = String::new();
    for it in limits {
        let by = match it.limit.origin {
            LimitOrigin::Person => {
                format!("by {}: {}", one_line(&it.limit.by), one_line(&it.limit.why))
            }
            LimitOrigin::Default | LimitOrigin::Flag | LimitOrigin::Config => {
                words::limit_origin(it.limit.origin).to_owned()
            }
        };
        let _ = writeln!(text, "{} ({by})", in_words(it));
    }
    text
}

/// The limits as a document.
pub fn limits_json(limits: &[LimitUse]) -> String {
    #[derive(Serialize)]
    struct Limits<'a> {
        limits: &'a [LimitUse],
    }
    document(&Limits { limits })
}
