//! Reading lines back: checksum first, byte for byte, then the chain, then the meaning.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::line::CHECKSUM_KEY;
use crate::domain::ledger::record::{
    Ack, Adjust, Carry, Checkpoint, Close, Detail, FORMAT_VERSION, Hold, Late, LedgerId, Limit,
    LineHash, ModelSpent, Open, Overrun, OwnerId, Record, RecordKind, Release, Repair, Reserve,
    Resolve, Roll, RunTotals, SegmentName, Settle, Spent, Totals, Unknown,
};
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::words::{
    Basis, CostSource, Evidence, LimitOrigin, Money, OpenReason, UnknownClass,
};
use crate::domain::money::NanoUsd;

/// Bytes behind the checksummed part: the key, eight digits, a quote and a brace.
const TAIL: usize = CHECKSUM_KEY.len() + 8 + 2;

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub record: Record,
    /// How many bytes of its file it vouches for.
    pub durable: u64,
    /// The hash of the line before, as this line has it.
    pub previous: LineHash,
    /// Its own hash.
    pub hash: LineHash,
}

/// Why bytes are no line of this ledger.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The checksum is absent or wrong: torn, zeroed or changed bytes.
    #[error("the checksum does not fit")]
    Checksum,
    /// The line is whole, but the line before it is another one.
    #[error("the line does not follow the one before it")]
    Chain,
    /// The line is whole and was written by a newer version that forbids skipping it.
    #[error("{what} was written by a newer version, which alone can spend from this ledger")]
    Newer {
        /// What is not understood.
        what: String,
    },
    /// The line is whole, but not as this version writes it.
    #[error("the line is no record")]
    Json(#[from] serde_json::Error),
    /// The line was synced, says the ledger's side file, and is not there any more or is another.
    #[error(
        "the file \"tail\" of the ledger vouches for this line, but it is damaged, gone or another"
    )]
    Promised,
    /// A field is absent or has no valid value.
    #[error("the field {field:?} of {kind:?} is absent or wrong")]
    Field {
        /// The kind of the record.
        kind: String,
        /// The key of the field.
        field: &'static str,
    },
}

/// Reads a line, given without its newline; `previous` is the hash that it must be chained to.
///
/// # Errors
/// When the line is damaged, does not follow the one before, or must be understood and is not.
pub fn decode(line: &[u8], previous: Option<LineHash>) -> Result<Line, LineError> {
    if !checksum_fits(line) {
        return Err(LineError::Checksum);
    }
    let wire: Wire<'_> = serde_json::from_slice(line)?;
    let kind = wire.k.as_ref();
    let field = |field| LineError::Field { kind: kind.to_owned(), field };
    if wire.v != FORMAT_VERSION {
        return Err(LineError::Newer { what: format!("format {}", wire.v) });
    }
    if wire.mu {
        return Err(LineError::Newer { what: format!("a record {kind:?}") });
    }
    let chained_to = line_hash(&wire.p).ok_or_else(|| field("p"))?;
    if previous.is_some_and(|previous| previous != chained_to) {
        return Err(LineError::Chain);
    }
    let record = Record { seq: wire.seq, time: wire.t, day: wire.day, kind: read_kind(&wire)? };
    Ok(Line { record, durable: wire.d, previous: chained_to, hash: LineHash::of(line) })
}

/// Whether the bytes end with their own checksum, compared digit for digit.
pub(crate) fn checksum_fits(line: &[u8]) -> bool {
    let Some(body_length) = line.len().checked_sub(TAIL) else { return false };
    let (body, tail) = line.split_at(body_length);
    tail == format!("{CHECKSUM_KEY}{:08x}\"}}", crc32c::crc32c(body)).as_bytes()
}

/// Every field of every kind: one pass over the text reads them all. A key keeps its type in every
/// kind, also in those of later versions.
#[derive(Deserialize)]
struct Wire<'a> {
    v: u64,
    seq: u64,
    t: Timestamp,
    day: Date,
    #[serde(borrow)]
    k: Cow<'a, str>,
    /// Must understand: no line of this version has it, so it always refuses.
    #[serde(default)]
    mu: bool,
    d: u64,
    #[serde(borrow)]
    p: Cow<'a, str>,
    rid: Option<AttemptId>,
    run: Option<RunId>,
    owner: Option<OwnerId>,
    max: Option<NanoUsd>,
    amt: Option<NanoUsd>,
    #[serde(borrow)]
    pid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    why: Option<Cow<'a, str>>,
    n: Option<u64>,
    today: Option<Totals>,
    // reserve
    row: Option<u64>,
    var: Option<u32>,
    r#try: Option<u32>,
    #[serde(borrow)]
    prov: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    req: Option<Cow<'a, str>>,
    tmo: Option<u64>,
    late: Option<u64>,
    tags: Option<Vec<Box<str>>>,
    #[serde(default)]
    canary: bool,
    // settle, release, unknown, resolve, adjust; words are read when their kind is known
    #[serde(borrow)]
    src: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ev: Option<Cow<'a, str>>,
    st: Option<u16>,
    #[serde(borrow)]
    class: Option<Cow<'a, str>>,
    until: Option<Timestamp>,
    last: Option<Date>,
    #[serde(borrow)]
    basis: Option<Cow<'a, str>>,
    on: Option<Date>,
    // limit
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    value: Option<NanoUsd>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    // check, roll, repair
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
    #[serde(borrow)]
    seg: Option<Cow<'a, str>>,
    at: Option<u64>,
    bytes: Option<u64>,
    #[serde(borrow)]
    hash: Option<Cow<'a, str>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    // open
    ledger: Option<LedgerId>,
    #[serde(borrow)]
    zone: Option<Cow<'a, str>>,
    #[serde(borrow)]
    money: Option<Cow<'a, str>>,
    #[serde(borrow)]
    prev: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool: Option<Cow<'a, str>>,
    limits: Option<Vec<WireLimit>>,
    carry: Option<Vec<WireCarry>>,
    runs: Option<Vec<RunTotals>>,
    models: Option<Vec<ModelSpent>>,
    window: Option<Vec<Spent>>,
    latest: Option<Timestamp>,
}

#[derive(Deserialize)]
struct WireLimit {
    scope: String,
    run: Option<RunId>,
    model: Option<String>,
    value: NanoUsd,
    origin: LimitOrigin,
    by: String,
    why: String,
}

#[derive(Deserialize)]
struct WireCarry {
    rid: AttemptId,
    run: RunId,
    model: Option<Arc<str>>,
    owner: OwnerId,
    max: NanoUsd,
    day: Date,
    t: Timestamp,
    tmo: u64,
    late: u64,
    class: Option<UnknownClass>,
    until: Option<Timestamp>,
    last: Option<Date>,
}

/// Takes the fields of one kind; an absent or wrong one is an error that names it.
struct Take<'w> {
    kind: &'w str,
}

impl Take<'_> {
    fn wrong(&self, field: &'static str) -> LineError {
        LineError::Field { kind: self.kind.to_owned(), field }
    }

    fn some<T>(&self, field: &'static str, value: Option<T>) -> Result<T, LineError> {
        value.ok_or_else(|| self.wrong(field))
    }

    fn text<T: for<'x> From<&'x str>>(
        &self,
        field: &'static str,
        value: &Option<Cow<'_, str>>,
    ) -> Result<T, LineError> {
        self.some(field, value.as_deref()).map(T::from)
    }

    fn read<T: FromStr>(
        &self,
        field: &'static str,
        value: &Option<Cow<'_, str>>,
    ) -> Result<T, LineError> {
        self.some(field, value.as_deref())?.parse().map_err(|_| self.wrong(field))
    }

    fn word<T>(
        &self,
        field: &'static str,
        value: &Option<Cow<'_, str>>,
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Result<T, LineError> {
        self.some(field, from_word(self.some(field, value.as_deref())?))
    }
}

fn read_kind(wire: &Wire<'_>) -> Result<RecordKind, LineError> {
    let take = Take { kind: &wire.k };
    let rid = || take.some("rid", wire.rid);
    let amount = || take.some("amt", wire.amt);
    Ok(match wire.k.as_ref() {
        "open" => RecordKind::Open(Box::new(read_open(&take, wire)?)),
        "limit" => RecordKind::Limit(Box::new(Limit {
            scope: limit_scope(
                take.some("scope", wire.scope.as_deref())?,
                wire.model.as_deref(),
                wire.run,
            )?,
            value: take.some("value", wire.value)?,
            origin: take.word("origin", &wire.origin, LimitOrigin::from_word)?,
            by: take.text("by", &wire.by)?,
            why: take.text("why", &wire.why)?,
        })),
        "reserve" => RecordKind::Reserve(Box::new(read_reserve(&take, wire)?)),
        "ack" => RecordKind::Ack(Ack { rid: rid()?, provider_id: take.text("pid", &wire.pid)? }),
        "settle" => RecordKind::Settle(Settle {
            rid: rid()?,
            amount: amount()?,
            source: take.word("src", &wire.src, CostSource::from_word)?,
            provider_id: wire.pid.as_deref().map(Into::into),
        }),
        "release" => RecordKind::Release(Release {
            rid: rid()?,
            evidence: take.word("ev", &wire.ev, Evidence::from_word)?,
            status: wire.st,
        }),
        "unknown" => RecordKind::Unknown(Unknown {
            rid: rid()?,
            late: Late {
                class: take.word("class", &wire.class, UnknownClass::from_word)?,
                until: take.some("until", wire.until)?,
                last_day: take.some("last", wire.last)?,
            },
        }),
        "resolve" => RecordKind::Resolve(Box::new(Resolve {
            rid: rid()?,
            amount: amount()?,
            basis: take.word("basis", &wire.basis, Basis::from_word)?,
            by: take.text("by", &wire.by)?,
            why: take.text("why", &wire.why)?,
        })),
        _ => return read_rare_kind(&take, wire),
    })
}

fn read_rare_kind(take: &Take<'_>, wire: &Wire<'_>) -> Result<RecordKind, LineError> {
    let amount = || take.some("amt", wire.amt);
    let lines = || take.some("n", wire.n);
    let today = || take.some("today", wire.today);
    Ok(match wire.k.as_ref() {
        "overrun" => RecordKind::Overrun(Overrun {
            rid: take.some("rid", wire.rid)?,
            run: take.some("run", wire.run)?,
            amount: amount()?,
            max: take.some("max", wire.max)?,
        }),
        "adjust" => RecordKind::Adjust(Box::new(Adjust {
            amount: amount()?,
            on: take.some("on", wire.on)?,
            run: wire.run,
            by: take.text("by", &wire.by)?,
            why: take.text("why", &wire.why)?,
        })),
        "check" => RecordKind::Check(Box::new(Checkpoint {
            lines: lines()?,
            today: today()?,
            state: take.word("state", &wire.state, line_hash)?,
        })),
        "roll" => RecordKind::Roll(Box::new(Roll {
            lines: lines()?,
            next: take.read("next", &wire.next)?,
            today: today()?,
        })),
        "close" => RecordKind::Close(Box::new(Close {
            owner: take.some("owner", wire.owner)?,
            lines: lines()?,
            today: today()?,
        })),
        "repair" => RecordKind::Repair(Box::new(Repair {
            segment: take.read("seg", &wire.seg)?,
            at: take.some("at", wire.at)?,
            bytes: take.some("bytes", wire.bytes)?,
            hash: take.word("hash", &wire.hash, line_hash)?,
            side_file: take.text("side", &wire.side)?,
        })),
        other => RecordKind::Unrecognized(other.into()),
    })
}

fn read_open(take: &Take<'_>, wire: &Wire<'_>) -> Result<Open, LineError> {
    let previous = wire.prev.as_ref().map(|_| take.read::<SegmentName>("prev", &wire.prev));
    let limits = take.some("limits", wire.limits.as_ref())?.iter().map(|limit| {
        Ok(Limit {
            scope: limit_scope(&limit.scope, limit.model.as_deref(), limit.run)?,
            value: limit.value,
            origin: limit.origin,
            by: limit.by.as_str().into(),
            why: limit.why.as_str().into(),
        })
    });
    let carry = take.some("carry", wire.carry.as_ref())?.iter().map(|attempt| {
        let unknown = match attempt.class {
            Some(class) => Some(Late {
                class,
                until: take.some("carry.until", attempt.until)?,
                last_day: take.some("carry.last", attempt.last)?,
            }),
            None => None,
        };
        let hold = Hold {
            run: attempt.run,
            model: attempt.model.clone(),
            owner: attempt.owner,
            max: attempt.max,
            day: attempt.day,
            time: attempt.t,
            timeout_ms: attempt.tmo,
            late_ms: attempt.late,
            unknown,
        };
        Ok(Carry { rid: attempt.rid, hold })
    });
    Ok(Open {
        ledger: take.some("ledger", wire.ledger)?,
        zone: take.text("zone", &wire.zone)?,
        money: take.word("money", &wire.money, Money::from_word)?,
        segment: take.read("seg", &wire.seg)?,
        previous: previous.transpose()?,
        reason: take.word("reason", &wire.reason, OpenReason::from_word)?,
        owner: take.some("owner", wire.owner)?,
        tool: take.text("tool", &wire.tool)?,
        limits: limits.collect::<Result<_, LineError>>()?,
        carry: carry.collect::<Result<_, LineError>>()?,
        today: take.some("today", wire.today)?,
        runs: take.some("runs", wire.runs.clone())?,
        detail: wire.models.as_ref().zip(wire.window.as_ref()).zip(wire.latest).map(read_detail),
    })
}

fn read_detail(((models, window), latest): ((&Vec<ModelSpent>, &Vec<Spent>), Timestamp)) -> Detail {
    Detail { models: models.clone(), window: window.clone(), latest }
}

fn read_reserve(take: &Take<'_>, wire: &Wire<'_>) -> Result<Reserve, LineError> {
    Ok(Reserve {
        rid: take.some("rid", wire.rid)?,
        run: take.some("run", wire.run)?,
        row: take.some("row", wire.row)?,
        variant: take.some("var", wire.var)?,
        attempt_no: take.some("try", wire.r#try)?,
        owner: take.some("owner", wire.owner)?,
        provider: take.text("prov", &wire.prov)?,
        model: take.text("model", &wire.model)?,
        max: take.some("max", wire.max)?,
        request_digest: take.word("req", &wire.req, from_hex)?,
        timeout_ms: take.some("tmo", wire.tmo)?,
        late_ms: take.some("late", wire.late)?,
        tags: wire.tags.clone().unwrap_or_default(),
        canary: wire.canary,
    })
}

/// A scope that this version cannot enforce must stop it from spending.
fn limit_scope(
    word: &str,
    model: Option<&str>,
    run: Option<RunId>,
) -> Result<LimitScope, LineError> {
    let newer = || LineError::Newer { what: format!("a limit per {word:?}") };
    LimitScope::from_word(word, model, run).ok_or_else(newer)
}

/// The hash of a line, from its digits.
pub(super) fn line_hash(text: &str) -> Option<LineHash> {
    from_hex(text).map(LineHash)
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
