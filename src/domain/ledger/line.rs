//! Writing records as lines: one JSON object each, chained by hash and closed by a checksum.

use std::fmt::{self, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::hex::write_hex;
use crate::domain::ledger::record::{
    Carry, Detail, FORMAT_VERSION, Hold, Late, Limit, LineHash, Open, Record, RecordKind, Reserve,
    RunTotals, Totals,
};
use crate::domain::ledger::scope::LimitScope;

/// The longest free text in a line, in bytes; it keeps a line of one attempt below 4 KiB.
pub const MAX_TEXT: usize = 256;
/// The most tags in a line; a row may have more.
pub const MAX_TAGS: usize = 16;
/// The longest tag in a line, in bytes.
pub const MAX_TAG_BYTES: usize = 64;
/// What stands between the checksummed bytes of a line and its checksum.
pub(crate) const CHECKSUM_KEY: &str = ",\"c\":\"";

/// What a line says about the bytes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Hash of the line before; zero for the first line of a ledger.
    pub previous: LineHash,
    /// How many bytes of this file were known to be durable.
    pub durable: u64,
}

impl LineHash {
    /// The hash of a line, which is given without its newline.
    pub fn of(line: &[u8]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&Sha256::digest(line)[..16]);
        Self(first)
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(out, &self.0)
    }
}

/// The line of a record, with its newline; `chain` moves on to the next line.
pub fn encode(record: &Record, chain: &mut Chain) -> String {
    let mut out = String::with_capacity(512);
    encode_into(&mut out, record, chain);
    out
}

/// Appends the line of a record, with its newline; `chain` moves on to the next line.
pub fn encode_into(out: &mut String, record: &Record, chain: &mut Chain) {
    let start = out.len();
    let mut object = Object::open(out);
    object.number("v", FORMAT_VERSION);
    object.number("seq", record.seq);
    object.plain("t", format_args!("{:.6}", record.time));
    object.plain("day", record.day);
    object.plain("k", record.kind.word());
    write_kind(&mut object, &record.kind);
    object.number("d", chain.durable);
    object.plain("p", chain.previous);
    let checksum = crc32c::crc32c(&object.out.as_bytes()[start..]);
    write_to(object.out, format_args!("{CHECKSUM_KEY}{checksum:08x}\"}}"));
    chain.previous = LineHash::of(&out.as_bytes()[start..]);
    out.push('\n');
}

/// The canonical text of a state, from which its hash is made.
pub(crate) fn state_hash(carry: &[Carry], today: &Totals, runs: &[RunTotals]) -> LineHash {
    let mut out = String::new();
    let mut object = Object::open(&mut out);
    // Models are not part of it: files of every tool of this format must agree on it.
    write_state(&mut object, carry, today, runs, false);
    LineHash::of(out.as_bytes())
}

/// A free text as the ledger keeps it: cut to [`MAX_TEXT`].
pub fn cut_text(text: &str) -> Arc<str> {
    text[..text.floor_char_boundary(MAX_TEXT)].into()
}

/// The tags of a row as the ledger keeps them: the first [`MAX_TAGS`], each cut to
/// [`MAX_TAG_BYTES`].
pub fn cut_tags(tags: &[String]) -> Vec<Box<str>> {
    let cut = |tag: &String| tag[..tag.floor_char_boundary(MAX_TAG_BYTES)].into();
    tags.iter().take(MAX_TAGS).map(cut).collect()
}

/// A name as the ledger keeps it: itself, unless it is longer than [`MAX_TEXT`].
pub fn cut_name(name: &Arc<str>) -> Arc<str> {
    if name.len() <= MAX_TEXT { Arc::clone(name) } else { cut_text(name) }
}

impl RecordKind {
    /// The word for the kind in a line.
    pub fn word(&self) -> &str {
        match self {
            Self::Open(_) => "open",
            Self::Limit(_) => "limit",
            Self::Reserve(_) => "reserve",
            Self::Ack(_) => "ack",
            Self::Settle(_) => "settle",
            Self::Release(_) => "release",
            Self::Unknown(_) => "unknown",
            Self::Resolve(_) => "resolve",
            Self::Overrun(_) => "overrun",
            Self::Adjust(_) => "adjust",
            Self::Check(_) => "check",
            Self::Roll(_) => "roll",
            Self::Close(_) => "close",
            Self::Repair(_) => "repair",
            Self::Unrecognized(word) => word,
        }
    }
}

fn write_kind(object: &mut Object<'_>, kind: &RecordKind) {
    match kind {
        RecordKind::Open(open) => write_open(object, open),
        RecordKind::Limit(limit) => write_limit(object, limit),
        RecordKind::Reserve(reserve) => write_reserve(object, reserve),
        RecordKind::Ack(ack) => {
            object.plain("rid", ack.rid);
            object.text("pid", &ack.provider_id);
        }
        RecordKind::Settle(settle) => {
            object.plain("rid", settle.rid);
            object.plain("amt", settle.amount);
            object.plain("src", settle.source);
            settle.provider_id.iter().for_each(|id| object.text("pid", id));
        }
        RecordKind::Release(release) => {
            object.plain("rid", release.rid);
            object.plain("ev", release.evidence);
            release.status.iter().for_each(|status| object.number("st", u64::from(*status)));
        }
        RecordKind::Unknown(unknown) => {
            object.plain("rid", unknown.rid);
            write_late(object, &unknown.late);
        }
        RecordKind::Resolve(resolve) => {
            object.plain("rid", resolve.rid);
            object.plain("amt", resolve.amount);
            object.plain("basis", resolve.basis);
            object.text("by", &resolve.by);
            object.text("why", &resolve.why);
        }
        RecordKind::Overrun(overrun) => {
            object.plain("rid", overrun.rid);
            object.plain("run", overrun.run);
            object.plain("amt", overrun.amount);
            object.plain("max", overrun.max);
        }
        RecordKind::Adjust(adjust) => {
            object.plain("amt", adjust.amount);
            object.plain("on", adjust.on);
            adjust.run.iter().for_each(|run| object.plain("run", run));
            object.text("by", &adjust.by);
            object.text("why", &adjust.why);
        }
        RecordKind::Check(check) => {
            object.number("n", check.lines);
            object.object("today", |inner| write_totals(inner, &check.today));
            object.plain("state", check.state);
        }
        RecordKind::Roll(roll) => {
            object.number("n", roll.lines);
            object.plain("next", roll.next);
            object.object("today", |inner| write_totals(inner, &roll.today));
        }
        RecordKind::Close(close) => {
            object.plain("owner", close.owner);
            object.number("n", close.lines);
            object.object("today", |inner| write_totals(inner, &close.today));
        }
        RecordKind::Repair(repair) => {
            object.plain("seg", repair.segment);
            object.number("at", repair.at);
            object.number("bytes", repair.bytes);
            object.plain("hash", repair.hash);
            object.text("side", &repair.side_file);
        }
        RecordKind::Unrecognized(_) => {}
    }
}

fn write_late(object: &mut Object<'_>, late: &Late) {
    object.plain("class", late.class);
    object.plain("until", format_args!("{:.6}", late.until));
    object.plain("last", late.last_day);
}

fn write_open(object: &mut Object<'_>, open: &Open) {
    object.plain("ledger", open.ledger);
    object.text("zone", &open.zone);
    object.plain("money", open.money);
    object.plain("seg", open.segment);
    open.previous.iter().for_each(|name| object.plain("prev", name));
    object.plain("reason", open.reason);
    object.plain("owner", open.owner);
    object.text("tool", &open.tool);
    object.array("limits", &open.limits, write_limit);
    write_state(object, &open.carry, &open.today, &open.runs, true);
    open.detail.iter().for_each(|detail| write_detail(object, detail));
}

fn write_detail(object: &mut Object<'_>, detail: &Detail) {
    object.array("models", &detail.models, |inner, spent| {
        inner.text("model", &spent.model);
        inner.plain("settled", spent.settled);
    });
    object.array("window", &detail.window, |inner, spent| {
        inner.plain("until", spent.until);
        inner.plain("amount", spent.amount);
    });
    object.plain("latest", format_args!("{:.6}", detail.latest));
}

fn write_state(
    object: &mut Object<'_>,
    carry: &[Carry],
    today: &Totals,
    runs: &[RunTotals],
    with_models: bool,
) {
    object.array("carry", carry, |inner, attempt| {
        inner.plain("rid", attempt.rid);
        write_hold(inner, &attempt.hold);
        if with_models {
            attempt.hold.model.iter().for_each(|model| inner.text("model", model));
        }
    });
    object.object("today", |inner| write_totals(inner, today));
    object.array("runs", runs, |inner, totals| {
        inner.plain("run", totals.run);
        inner.plain("last", totals.last);
        inner.object("sum", |sum| write_totals(sum, &totals.sum));
    });
}

fn write_hold(object: &mut Object<'_>, hold: &Hold) {
    object.plain("run", hold.run);
    object.plain("owner", hold.owner);
    object.plain("max", hold.max);
    object.plain("day", hold.day);
    object.plain("t", format_args!("{:.6}", hold.time));
    object.number("tmo", hold.timeout_ms);
    object.number("late", hold.late_ms);
    if let Some(late) = &hold.unknown {
        object.plain("class", late.class);
        object.plain("until", format_args!("{:.6}", late.until));
        object.plain("last", late.last_day);
    }
}

fn write_totals(object: &mut Object<'_>, totals: &Totals) {
    object.plain("settled", totals.settled);
    object.plain("reserved", totals.reserved);
    object.plain("unknown", totals.unknown);
    object.number("attempts", totals.attempts);
    object.number("settles", totals.settles);
    object.number("releases", totals.releases);
    object.number("unknowns", totals.unknowns);
    object.number("overruns", totals.overruns);
}

fn write_limit(object: &mut Object<'_>, limit: &Limit) {
    object.plain("scope", limit.scope.word());
    match &limit.scope {
        LimitScope::Run(run) => object.plain("run", run),
        LimitScope::Model(model) => object.text("model", model),
        LimitScope::Day | LimitScope::Window | LimitScope::EveryRun | LimitScope::Image => {}
    }
    object.plain("value", limit.value);
    object.plain("origin", limit.origin);
    object.text("by", &limit.by);
    object.text("why", &limit.why);
}

fn write_reserve(object: &mut Object<'_>, reserve: &Reserve) {
    object.plain("rid", reserve.rid);
    object.plain("run", reserve.run);
    object.number("row", reserve.row);
    object.number("var", u64::from(reserve.variant));
    object.number("try", u64::from(reserve.attempt_no));
    object.plain("owner", reserve.owner);
    object.text("prov", &reserve.provider);
    object.text("model", &reserve.model);
    object.plain("max", reserve.max);
    object.plain("req", Hex(&reserve.request_digest));
    object.number("tmo", reserve.timeout_ms);
    object.number("late", reserve.late_ms);
    if !reserve.tags.is_empty() {
        object.texts("tags", &reserve.tags);
    }
    if reserve.canary {
        object.key("canary");
        object.out.push_str("true");
    }
}

/// Bytes shown as lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(out, self.0)
    }
}

fn write_to(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes every text");
}

/// A JSON object under construction; keys are ours and need no escape.
struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    fn key(&mut self, key: &str) {
        self.out.push_str(if self.empty { "\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        write_to(self.out, format_args!("{value}"));
    }

    /// A value whose text needs no escape.
    fn plain(&mut self, key: &str, value: impl fmt::Display) {
        self.key(key);
        self.out.push('"');
        write_to(self.out, format_args!("{value}"));
        self.out.push('"');
    }

    fn texts(&mut self, key: &str, values: &[Box<str>]) {
        self.key(key);
        self.out.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.free(value);
        }
        self.out.push(']');
    }

    /// Free text, escaped and cut to [`MAX_TEXT`].
    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.free(value);
    }

    fn free(&mut self, value: &str) {
        let value = &value[..value.floor_char_boundary(MAX_TEXT)];
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if value.bytes().all(is_plain) {
            self.out.push('"');
            self.out.push_str(value);
            self.out.push('"');
        } else {
            let escaped = serde_json::to_string(value).expect("a text is JSON");
            self.out.push_str(&escaped);
        }
    }

    fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        let mut inner = Object::open(self.out);
        fill(&mut inner);
        self.out.push('}');
    }

    fn array<T>(&mut self, key: &str, items: &[T], fill: impl Fn(&mut Object<'_>, &T)) {
        self.key(key);
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            let mut inner = Object::open(self.out);
            fill(&mut inner, item);
            self.out.push('}');
        }
        self.out.push(']');
    }
}
