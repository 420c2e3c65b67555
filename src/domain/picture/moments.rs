//! What happened over time, in a bounded number of slices.

use std::time::Duration;

use serde::Serialize;

use crate::domain::money::NanoUsd;

/// Slices that are told: as many as a chart can show.
const SLICES: usize = 120;

/// What happened in a slice of the run's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Its end, in milliseconds at work.
    pub at_ms: u64,
    /// The most attempts that were out at once.
    pub in_flight: u64,
    /// Attempts that the provider put off.
    pub throttled: u64,
    /// Images that came.
    pub images: u64,
    /// What was charged up to its end.
    pub settled: NanoUsd,
}

/// Gathers moments. It merges its slices by pairs when there would be too many, so that it needs
/// the same memory however long a run is.
#[derive(Clone, Debug)]
pub struct Moments {
    width: Duration,
    slices: Vec<Moment>,
    in_flight: u64,
    settled: NanoUsd,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            width: Duration::from_millis(10),
            slices: Vec::new(),
            in_flight: 0,
            settled: NanoUsd::ZERO,
        }
    }
}

impl Moments {
    /// An attempt goes out.
    pub fn started(&mut self, at: Duration) {
        self.in_flight += 1;
        let in_flight = self.in_flight;
        let slice = self.slice(at);
        slice.in_flight = slice.in_flight.max(in_flight);
    }

    /// An attempt has ended.
    pub fn ended(&mut self, at: Duration, was_throttled: bool, settled: NanoUsd) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.settled = self.settled.saturating_add(settled);
        let sum = self.settled;
        let slice = self.slice(at);
        slice.throttled += u64::from(was_throttled);
        slice.settled = sum;
    }

    /// An image is there.
    pub fn stored(&mut self, at: Duration) {
        self.slice(at).images += 1;
    }

    /// A process ended: nothing of it is out any more.
    pub fn nothing_is_out(&mut self) {
        self.in_flight = 0;
    }

    /// Up to the last thing that happened.
    pub fn finish(self) -> Vec<Moment> {
        self.slices
    }

    fn slice(&mut self, at: Duration) -> &mut Moment {
        while self.number(at) >= SLICES {
            let halves = std::mem::take(&mut self.slices);
            self.width *= 2;
            for pair in halves.chunks(2) {
                let (first, last) = (pair[0], pair[pair.len() - 1]);
                let both = |one: fn(&Moment) -> u64| pair.iter().map(one).sum();
                self.slices.push(Moment {
                    at_ms: self.end_of(self.slices.len()),
                    in_flight: first.in_flight.max(last.in_flight),
                    throttled: both(|it| it.throttled),
                    images: both(|it| it.images),
                    settled: last.settled,
                });
            }
        }
        let number = self.number(at);
        while self.slices.len() <= number {
            let settled = self.slices.last().map_or(NanoUsd::ZERO, |last| last.settled);
            let at_ms = self.end_of(self.slices.len());
            let in_flight = self.in_flight;
            self.slices.push(Moment { at_ms, in_flight, settled, ..Moment::default() });
        }
        &mut self.slices[number]
    }

    fn number(&self, at: Duration) -> usize {
        usize::try_from(at.as_millis() / self.width.as_millis()).unwrap_or(usize::MAX)
    }

    fn end_of(&self, number: usize) -> u64 {
        u64::try_from(self.width.as_millis()).unwrap_or(u64::MAX).saturating_mul(number as u64 + 1)
    }
}
