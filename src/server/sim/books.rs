//! The books of the rehearsal server: what it received, and what it would bill.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::money::NanoUsd;

/// The most requests that are remembered one by one. Later ones are only counted.
const MOST_ENTRIES: usize = 1_000_000;

/// What the server would bill.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bill {
    /// The name and version of this document.
    pub schema: &'static str,
    /// Requests that are billed.
    pub billed_requests: u64,
    /// The whole amount.
    pub total: NanoUsd,
    /// The part of it whose images were sent as a whole.
    pub delivered: NanoUsd,
    /// The part of it for which the client got no image.
    pub undelivered: NanoUsd,
    /// Every billed request, when asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<BillEntry>,
}

/// One billed request.
#[derive(Clone, Debug, Serialize)]
pub struct BillEntry {
    /// The client's own name for it, as it was sent.
    pub client_request_id: String,
    /// The server's name for it.
    pub request_id: String,
    /// What happened.
    pub outcome: &'static str,
    /// The amount.
    pub amount: NanoUsd,
    /// Whether an image was sent as a whole.
    pub delivered: bool,
}

/// What the server has seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// The name and version of this document.
    pub schema: &'static str,
    /// Requests for images.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Requests that are being worked on.
    pub in_flight: u64,
    /// The most at one moment.
    pub max_in_flight: u64,
    /// Requests that came with a client's name which another one had before.
    pub repeated_request_ids: u64,
    /// Requests by what happened to them.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// References.
    pub references: ReferenceStats,
}

/// What the server has seen of requests for references.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReferenceStats {
    /// Requests for references.
    pub requests: u64,
    /// Pictures sent.
    pub served: u64,
    /// Pictures that were still those which the client had.
    pub not_modified: u64,
    /// Requests that were refused because their signature had expired.
    pub refused_expired: u64,
    /// Requests that were refused for any other reason that lies in their signature.
    pub refused_signature: u64,
    /// Requests whose answer is not sent yet.
    pub in_flight: u64,
    /// The most at one moment.
    pub max_in_flight: u64,
}

impl ReferenceStats {
    /// Counts a request that begins.
    pub(super) fn begin(&mut self) {
        self.requests += 1;
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
    }

    /// Counts a request that ends, however it does.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Counts a picture that is sent.
    pub(super) fn served(&mut self) {
        self.served += 1;
    }

    /// Counts a request whose signature is not good.
    pub(super) fn refused(&mut self, has_expired: bool) {
        let counter =
            if has_expired { &mut self.refused_expired } else { &mut self.refused_signature };
        *counter += 1;
    }

    /// Counts a picture that need not be sent.
    pub(super) fn not_modified(&mut self) {
        self.not_modified += 1;
    }
}

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    stats: Stats,
    bill: Bill,
    entries: Vec<BillEntry>,
    client_ids: BTreeMap<String, u32>,
    repeats: BTreeMap<u64, u32>,
}

impl Books {
    /// Which request with this content it is, counted from 1.
    pub(super) fn nth(&mut self, digest: u64) -> u32 {
        if self.repeats.len() >= MOST_ENTRIES && !self.repeats.contains_key(&digest) {
            return 1;
        }
        let count = self.repeats.entry(digest).or_default();
        *count += 1;
        *count
    }

    /// The counters of references.
    pub(super) fn references(&mut self) -> &mut ReferenceStats {
        &mut self.stats.references
    }

    /// Counts a connection.
    pub(super) fn connected(&mut self) {
        self.stats.connections += 1;
    }

    /// Counts a request that begins.
    pub(super) fn begin(&mut self, client_request_id: &str) {
        self.stats.requests += 1;
        self.stats.in_flight += 1;
        self.stats.max_in_flight = self.stats.max_in_flight.max(self.stats.in_flight);
        if client_request_id.is_empty() || self.client_ids.len() >= MOST_ENTRIES {
            return;
        }
        let seen = self.client_ids.entry(client_request_id.to_owned()).or_default();
        *seen += 1;
        self.stats.repeated_request_ids += u64::from(*seen > 1);
    }

    /// Counts a request that ends, however it does.
    pub(super) fn end(&mut self) {
        self.stats.in_flight = self.stats.in_flight.saturating_sub(1);
    }

    /// Counts what a request comes to; free ones are no part of the bill.
    pub(super) fn book(&mut self, entry: BillEntry, is_billed: bool) {
        *self.stats.outcomes.entry(entry.outcome).or_default() += 1;
        if !is_billed {
            return;
        }
        let bill = &mut self.bill;
        bill.billed_requests += 1;
        bill.total = bill.total.saturating_add(entry.amount);
        let part = if entry.delivered { &mut bill.delivered } else { &mut bill.undelivered };
        *part = part.saturating_add(entry.amount);
        if self.entries.len() < MOST_ENTRIES {
            self.entries.push(entry);
        }
    }

    /// The bill so far.
    pub(super) fn bill(&self, with_entries: bool) -> Bill {
        let entries = if with_entries { self.entries.clone() } else { Vec::new() };
        Bill { schema: "imagemill.sim-bill/1", entries, ..self.bill.clone() }
    }

    /// The counters so far.
    pub(super) fn stats(&self) -> Stats {
        Stats { schema: "imagemill.sim-stats/1", ..self.stats.clone() }
    }
}
