//! What must hold after each step: the files say what the model says, nothing that was granted is
//! missing, and billed <= exposure <= limit on every day.

use std::collections::BTreeSet;

use imagemill::domain::ids::AttemptId;
use jiff::civil::Date;

use crate::ledger::machine::model::Attempt;
use crate::ledger::machine::reader::Seen;
use crate::ledger::machine::world::{Surprise, World};

impl World {
    /// Holds the files against the model. What a failed group may have left there is taken over.
    pub(super) fn judge(&mut self, surprise: Surprise) {
        self.files.read(self.folder.path());
        let files = std::mem::take(&mut self.files);
        assert_eq!(files.limit, self.model.limit);
        for (rid, seen) in &files.attempts {
            self.judge_attempt(*rid, seen, surprise);
        }
        let lost = self.model.attempts.keys().filter(|rid| !files.attempts.contains_key(rid));
        for rid in lost.copied().collect::<Vec<_>>() {
            self.may_be_lost(rid, surprise);
            self.model.attempts.remove(&rid);
        }
        for rid in &self.granted {
            assert!(self.model.attempts.contains_key(rid), "{rid} was granted and is missing");
        }
        match surprise {
            Surprise::None => assert_eq!(files.day, self.model.day),
            Surprise::Failure | Surprise::PowerLoss => self.model.day = files.day,
        }
        // Whoever writes and syncs vouches for all that stands before, failed groups too.
        if surprise == Surprise::PowerLoss || (surprise == Surprise::None && files.grew()) {
            self.soft.clear();
        }
        self.files = files;
        self.judge_money();
    }

    fn judge_attempt(&mut self, rid: AttemptId, seen: &Seen, surprise: Surprise) {
        if !self.model.attempts.contains_key(&rid) {
            assert_ne!(surprise, Surprise::None, "{rid} came from nowhere");
            let asked = self.asked.get(&rid).unwrap_or_else(|| panic!("nobody asked for {rid}"));
            self.model.attempts.insert(rid, Attempt { from: seen.from, ..asked.clone() });
            self.soft.insert(rid);
        }
        let known = self.model.attempts[&rid].clone();
        assert_eq!((known.max, known.from), (seen.max, seen.from), "{rid}");
        // What a failed sync lost of an attempt that has ended stands in the sums of the next
        // segment, and nowhere else.
        let is_in_sums = known.end.is_some() && matches!(seen.end, Some((_, None)));
        if known.until != seen.until && !(is_in_sums && seen.until.is_none()) {
            if seen.until.is_some() {
                assert!(known.until.is_none() && surprise != Surprise::None, "{rid}");
                let may_be = self.unknown.contains(&rid) || !self.is_alive(known.owner);
                assert!(may_be || self.is_stopped(known.owner), "{rid} is under way");
                self.soft.insert(rid);
            } else {
                self.may_be_lost(rid, surprise);
            }
        }
        let same_end = match (known.end, seen.end) {
            // Only the sums of a newer segment know the amount.
            (Some(_), Some((_, None))) => true,
            (known, seen) => known == seen.map(|(day, amount)| (day, amount.unwrap_or(-1))),
        };
        let attempt = self.model.attempts.get_mut(&rid).expect("it is there");
        if !is_in_sums {
            attempt.until = seen.until;
        }
        if !same_end {
            if let Some((day, amount)) = seen.end {
                assert!(known.end.is_none() && surprise != Surprise::None, "{rid}");
                assert_eq!(amount, self.bills.get(&rid).copied(), "{rid} ends as was said");
                attempt.end = Some((day, amount.unwrap_or(-1)));
                self.soft.insert(rid);
            } else {
                attempt.end = None;
                self.may_be_lost(rid, surprise);
            }
        }
    }

    /// Only a power loss takes records away, and only those of failed groups.
    fn may_be_lost(&self, rid: AttemptId, surprise: Surprise) {
        let may_be = surprise == Surprise::PowerLoss && self.soft.contains(&rid);
        assert!(may_be, "a record of {rid} is lost ({surprise:?})");
    }

    /// Billed <= exposure <= limit, whatever the provider charges for what has no end.
    fn judge_money(&self) {
        let mut days: BTreeSet<Date> = self.model.days(3).into_iter().collect();
        days.extend(self.model.attempts.values().map(|attempt| attempt.from));
        for day in days {
            let exposed = self.model.exposure(day);
            let bills = self.granted.iter().map(|rid| {
                let attempt = &self.model.attempts[rid];
                attempt.on(day, self.bills.get(rid).copied().unwrap_or(attempt.max))
            });
            let billed: i64 = bills.sum();
            assert!(billed <= exposed, "{day}: billed {billed}, exposed {exposed}");
            assert!(exposed <= self.highest_limit, "{day}: exposed {exposed}");
        }
    }
}
