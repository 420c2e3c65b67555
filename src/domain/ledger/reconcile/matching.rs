//! Which line of an export belongs to which attempt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::AttemptId;
use crate::domain::ledger::entries::Outcome;
use crate::domain::ledger::reconcile::books::{Attempt, Books};
use crate::domain::ledger::reconcile::export::{Amount, Line, When};
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::one_line;

/// How far the provider's clock and ours may be apart.
pub const TIME_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// The smallest amount: what a rounded one may be too large by.
const ONE_NANO: NanoUsd = NanoUsd::from_nanos(1);

/// What fits an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Fit {
    /// No line.
    #[default]
    Nothing,
    /// Lines with its id.
    Exact(Vec<usize>),
    /// Lines with its id, one of them twice.
    Repeated(Vec<usize>),
    /// One line, which fits nothing else.
    Likely(usize),
    /// Several lines, or a line that fits others too.
    Several,
}

/// Where a line belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// To no attempt.
    #[default]
    Nowhere,
    /// To the attempt that names it.
    Attempt,
    /// To one of several.
    Several,
}

/// Who belongs to whom; attempts and lines are meant by their positions.
#[derive(Clone, Debug)]
pub(super) struct Matches {
    pub(super) attempts: Vec<Fit>,
    pub(super) lines: Vec<Place>,
}

/// Matches what is wanted of both sides: first by id, then by model, time and amount.
pub(super) fn match_up(
    books: &Books,
    is_wanted: &[bool],
    lines: &[Line],
    is_wanted_line: &[bool],
) -> Matches {
    let mut matches = Matches {
        attempts: vec![Fit::Nothing; books.attempts().len()],
        lines: vec![Place::Nowhere; lines.len()],
    };
    by_id(&mut matches, books, is_wanted, lines, is_wanted_line);
    by_circumstances(&mut matches, books, is_wanted, lines, is_wanted_line);
    matches
}

fn by_id(
    matches: &mut Matches,
    books: &Books,
    is_wanted: &[bool],
    lines: &[Line],
    is_wanted_line: &[bool],
) {
    // Both sides as they are shown: whoever read the export has made its text harmless.
    let mut ids: BTreeMap<Cow<'_, str>, Vec<usize>> = BTreeMap::new();
    for (at, attempt) in books.attempts().iter().enumerate().filter(|(at, _)| is_wanted[*at]) {
        for id in &attempt.provider_ids {
            ids.entry(one_line(id)).or_default().push(at);
        }
    }
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); books.attempts().len()];
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| is_wanted_line[*at]) {
        let Some(id) = line.request_id.as_deref() else { continue };
        let ours = id.parse::<AttemptId>().ok().and_then(|rid| books.position(rid));
        let named = ids.get(&one_line(id)).into_iter().flatten().copied();
        let mut meant: Vec<usize> =
            ours.filter(|at| is_wanted[*at]).into_iter().chain(named).collect();
        meant.retain(|at| may_be_of(line, &books.attempts()[*at]));
        meant.sort_unstable();
        meant.dedup();
        if meant.len() > 1 {
            // An id that came twice is told apart by the time, if it can be.
            meant = by_time(books, line, meant);
        }
        if let [only] = meant[..] {
            found[only].push(at);
            matches.lines[at] = Place::Attempt;
        } else if !meant.is_empty() {
            meant.iter().for_each(|attempt| matches.attempts[*attempt] = Fit::Several);
            matches.lines[at] = Place::Several;
        }
    }
    for (at, of_attempt) in found.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
        let is_shared = matches.attempts[at] == Fit::Several;
        let repeated = is_shared || has_twin(&of_attempt, lines);
        matches.attempts[at] =
            if repeated { Fit::Repeated(of_attempt) } else { Fit::Exact(of_attempt) };
    }
}

/// The only one of these attempts whose time is that of the line, else all of them.
fn by_time(books: &Books, line: &Line, meant: Vec<usize>) -> Vec<usize> {
    let is_in_time = |at: &&usize| {
        let (from, to) = window(&books.attempts()[**at]);
        matches!(line.when, When::At(time) if from <= time && time <= to)
    };
    let in_time: Vec<usize> = meant.iter().filter(is_in_time).copied().collect();
    if in_time.len() == 1 { in_time } else { meant }
}

/// Whether two of these lines say the very same.
fn has_twin(of_attempt: &[usize], lines: &[Line]) -> bool {
    let key = |at: &usize| {
        let line = &lines[*at];
        (line.when, line.amount.value, line.model.clone())
    };
    let mut keys: Vec<_> = of_attempt.iter().map(key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|two| two[0] == two[1])
}

/// How many fit, and the last of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: usize,
    last: usize,
}

fn by_circumstances(
    matches: &mut Matches,
    books: &Books,
    is_wanted: &[bool],
    lines: &[Line],
    is_wanted_line: &[bool],
) {
    let mut by_time: Vec<(Timestamp, usize)> = Vec::new();
    let mut by_amount: BTreeMap<NanoUsd, Vec<(Timestamp, usize)>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let is_free = is_wanted_line[at] && matches.lines[at] == Place::Nowhere;
        if let (When::At(time), true) = (line.when, is_free && line.amount.value > NanoUsd::ZERO) {
            by_time.push((time, at));
            by_amount.entry(line.amount.value).or_default().push((time, at));
        }
    }
    by_time.sort_unstable();
    by_amount.values_mut().for_each(|lines| lines.sort_unstable());
    let mut of_lines = vec![Tally::default(); lines.len()];
    let mut of_attempts = vec![Tally::default(); books.attempts().len()];
    for (at, attempt) in books.attempts().iter().enumerate() {
        if !is_wanted[at] || matches.attempts[at] != Fit::Nothing {
            continue;
        }
        let (from, to) = window(attempt);
        // Of an unknown attempt any amount up to its worst case; of others what they cost, to
        // which a rounded line may be a nano-dollar too much.
        let more = attempt.committed.saturating_add(ONE_NANO);
        let candidates = match attempt.outcome {
            Outcome::Unknown => vec![within(&by_time, from, to)],
            Outcome::Settled | Outcome::Resolved => [attempt.committed, more]
                .iter()
                .filter_map(|amount| by_amount.get(amount))
                .map(|lines| within(lines, from, to))
                .collect(),
            Outcome::Held | Outcome::Released | Outcome::Adjusted => Vec::new(),
        };
        for (_, line) in candidates.into_iter().flatten() {
            if fits(attempt, &lines[*line]) {
                let (mine, its) = (&mut of_attempts[at], &mut of_lines[*line]);
                *mine = Tally { count: mine.count + 1, last: *line };
                *its = Tally { count: its.count + 1, last: at };
            }
        }
    }
    for (at, mine) in of_attempts.iter().enumerate().filter(|(_, mine)| mine.count > 0) {
        let is_only = mine.count == 1 && of_lines[mine.last].count == 1;
        matches.attempts[at] = if is_only { Fit::Likely(mine.last) } else { Fit::Several };
    }
    for (at, its) in of_lines.iter().enumerate().filter(|(_, its)| its.count > 0) {
        let is_only = its.count == 1 && of_attempts[its.last].count == 1;
        matches.lines[at] = if is_only { Place::Attempt } else { Place::Several };
    }
}

/// When a charge for an attempt may appear, with the tolerance on both sides.
fn window(attempt: &Attempt) -> (Timestamp, Timestamp) {
    let end = match attempt.outcome {
        Outcome::Unknown | Outcome::Resolved | Outcome::Held => attempt.until,
        Outcome::Settled | Outcome::Released | Outcome::Adjusted => attempt.ended_at,
    };
    let from = attempt.reserved_at.checked_sub(TIME_TOLERANCE);
    let to = end.checked_add(TIME_TOLERANCE);
    (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX))
}

fn within(sorted: &[(Timestamp, usize)], from: Timestamp, to: Timestamp) -> &[(Timestamp, usize)] {
    let start = sorted.partition_point(|(time, _)| *time < from);
    let end = sorted.partition_point(|(time, _)| *time <= to);
    &sorted[start..end.max(start)]
}

/// Whether a line of the right time may be the charge for an attempt.
fn fits(attempt: &Attempt, line: &Line) -> bool {
    // An attempt whose id is known has that id in the export too.
    let is_of_another = line.request_id.is_some() && !attempt.provider_ids.is_empty();
    let amount = line.amount.value;
    let is_amount = match attempt.outcome {
        Outcome::Unknown => amount <= attempt.max,
        Outcome::Held
        | Outcome::Settled
        | Outcome::Released
        | Outcome::Resolved
        | Outcome::Adjusted => is_same(attempt.committed, line.amount),
    };
    let named = line.model.as_deref().zip(attempt.model.as_deref());
    let is_model = named.is_none_or(|(theirs, ours)| names_model(theirs, ours));
    !is_of_another && is_amount && is_model && may_be_of(line, attempt)
}

fn is_same(ours: NanoUsd, theirs: Amount) -> bool {
    let lower = theirs.value.checked_sub(ONE_NANO);
    ours == theirs.value || (theirs.is_rounded && Some(ours) == lower)
}

/// Whether line and attempt can be of one provider.
fn may_be_of(line: &Line, attempt: &Attempt) -> bool {
    let both = line.provider.as_deref().zip(attempt.provider.as_deref());
    both.is_none_or(|(theirs, ours)| theirs == ours)
}

/// Whether a line's model or line item means a model: its name, or its name with a date, and
/// perhaps more behind a comma.
pub(super) fn names_model(theirs: &str, ours: &str) -> bool {
    let (name, ours) = (model_of(theirs), ours.trim());
    let dated = |rest: &str| {
        let digits = rest.strip_prefix('-').unwrap_or("").as_bytes();
        digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_digit)
    };
    name == ours || name.strip_prefix(ours).is_some_and(dated)
}

/// The part of a line item that names the model.
pub(super) fn model_of(line_item: &str) -> &str {
    line_item.split_once(',').map_or(line_item, |(name, _)| name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_item_names_its_model_also_with_a_date() {
        for (theirs, ours, expect) in [
            ("gpt-image-1", "gpt-image-1", true),
            ("gpt-image-1, image output", "gpt-image-1", true),
            ("gpt-image-1-2025-04-15, text input", "gpt-image-1", true),
            ("gpt-image-1-mini, image output", "gpt-image-1", false),
            ("gpt-image-1.5", "gpt-image-1", false),
            ("gpt-image-1", "gpt-image-1-mini", false),
            ("", "gpt-image-1", false),
        ] {
            assert_eq!(names_model(theirs, ours), expect, "{theirs} {ours}");
        }
    }
}
