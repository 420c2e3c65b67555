//! Where the references of a fixture are, and how a row writes them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use url::{Position, Url};

use crate::domain::seed::REFERENCE_FOLDER;
use crate::domain::sigv4::LONGEST_LIFE;
use crate::domain::sim::store;

/// Where references are that are signed: on a rehearsal server at its usual address.
pub const REHEARSAL_BASE: &str = "http://127.0.0.1:8787/refs";

/// The kinds of references that a fixture can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// Pictures beside the rows file.
    Local,
    /// Addresses of `https` or `http`.
    Url,
    /// Objects of a bucket, by this scheme.
    Gs,
    /// Objects of a bucket, by this scheme.
    S3,
    /// Objects of a container, by this scheme.
    Az,
}

impl PlaceKind {
    /// The word for it.
    const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Url => "url",
            Self::Gs => "gs",
            Self::S3 => "s3",
            Self::Az => "az",
        }
    }

    /// Where its references are unless told otherwise.
    fn usual_base(self) -> Option<String> {
        match self {
            Self::Local | Self::Url => None,
            Self::Gs | Self::S3 | Self::Az => Some(format!("{}://{}", self.word(), store::BUCKET)),
        }
    }

    /// The kind of what is below an address.
    fn of(base: &ReferenceBase) -> Self {
        match base.as_str().split(':').next().unwrap_or_default() {
            "gs" => Self::Gs,
            "s3" => Self::S3,
            "az" => Self::Az,
            _ => Self::Url,
        }
    }
}

impl fmt::Display for PlaceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Why references cannot be where they are wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No address for references.
    #[error("{0:?} is no base address: https, http, gs, s3 or az, without ? and #")]
    Base(String),
    /// Files beside the rows have no address.
    #[error("local references lie beside the rows file and have no base address")]
    LocalBase,
    /// There is no usual place for this kind.
    #[error("references of the kind url need a base address, such as {REHEARSAL_BASE}")]
    NoBase,
    /// The address is of another kind.
    #[error("references of the kind {kind} are not at {base}")]
    OtherKind {
        /// What was asked for.
        kind: PlaceKind,
        /// As given.
        base: String,
    },
    /// Only addresses that are asked for over HTTP are signed.
    #[error("references of the kind {0} carry no signature that could expire")]
    NotSigned(PlaceKind),
    /// The keys are those of the rehearsal server and open nothing else.
    #[error("{0} is not on a rehearsal server, whose keys sign: its references are below /refs")]
    NotRehearsal(String),
    /// A life that stores do not accept.
    #[error("a signed address lives for 1s to 7days")]
    Life,
}

/// Where the references of a fixture are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReferencePlace {
    /// Small pictures in a folder beside the rows file.
    #[default]
    Local,
    /// Under an address that the user looks after.
    Base(ReferenceBase),
    /// On a rehearsal server, by addresses that expire.
    Signed {
        /// Where it is.
        base: ReferenceBase,
        /// When they are signed.
        time: Timestamp,
        /// For how long they are good.
        life: Duration,
    },
}

impl ReferencePlace {
    /// What somebody wants who may have named a kind, an address and the life of signatures.
    ///
    /// # Errors
    /// When these do not fit each other.
    pub fn of(
        kind: Option<PlaceKind>,
        base: Option<&str>,
        life: Option<Duration>,
        now: Timestamp,
    ) -> Result<Self, PlaceError> {
        let usual = kind.and_then(PlaceKind::usual_base);
        let base = base.map(str::to_owned).or(usual);
        let base = base.map(|text| text.parse::<ReferenceBase>()).transpose()?;
        let kind = kind.or(base.as_ref().map(PlaceKind::of)).unwrap_or(PlaceKind::Local);
        let base = match (kind, base) {
            (PlaceKind::Local, Some(_)) => return Err(PlaceError::LocalBase),
            (PlaceKind::Local, None) if life.is_some() => {
                return Err(PlaceError::NotSigned(kind));
            }
            (PlaceKind::Local, None) => return Ok(Self::Local),
            (_, None) => return Err(PlaceError::NoBase),
            (_, Some(base)) => base,
        };
        if kind != PlaceKind::of(&base) {
            return Err(PlaceError::OtherKind { kind, base: base.0.into() });
        }
        let Some(life) = life else { return Ok(Self::Base(base)) };
        if kind != PlaceKind::Url {
            return Err(PlaceError::NotSigned(kind));
        }
        if !base.is_of_rehearsal() {
            return Err(PlaceError::NotRehearsal(base.0.into()));
        }
        if !(Duration::from_secs(1)..=LONGEST_LIFE).contains(&life) {
            return Err(PlaceError::Life);
        }
        Ok(Self::Signed { base, time: now, life })
    }

    /// The address below which they are; nothing when they are local.
    pub fn base(&self) -> Option<&str> {
        match self {
            Self::Local => None,
            Self::Base(base) | Self::Signed { base, .. } => Some(base.as_str()),
        }
    }

    /// When their signatures end; nothing when they have none.
    pub fn signed_until(&self) -> Option<Timestamp> {
        match self {
            Self::Local | Self::Base(_) => None,
            Self::Signed { time, life, .. } => Some(*time + *life),
        }
    }

    /// How a row writes the reference that belongs to a name.
    pub(super) fn reference(&self, name: &str) -> String {
        match self {
            Self::Local => format!("{REFERENCE_FOLDER}/{name}.png"),
            Self::Base(base) => format!("{}/{name}.png", base.as_str()),
            Self::Signed { base, time, life } => {
                let (host, path) = base.host_and_path();
                let query = store::presign(host, &format!("{path}/{name}.png"), *time, *life);
                format!("{}/{name}.png?{query}", base.as_str())
            }
        }
    }
}

/// An address under which references are: without query, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceBase(Url);

impl ReferenceBase {
    /// The address without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The host as requests name it, and the path without a slash at its end.
    fn host_and_path(&self) -> (&str, &str) {
        let host = &self.0[Position::BeforeHost..Position::AfterPort];
        (host, self.0.path().trim_end_matches('/'))
    }

    /// Whether its path lies in the bucket of a rehearsal server.
    fn is_of_rehearsal(&self) -> bool {
        let first = self.0.path_segments().and_then(|mut words| words.next());
        first == Some(store::BUCKET)
    }
}

impl FromStr for ReferenceBase {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let bad = || PlaceError::Base(text.to_owned());
        let url = Url::parse(text).map_err(|_| bad())?;
        let known = matches!(url.scheme(), "https" | "http" | "gs" | "s3" | "az");
        let plain = url.query().is_none() && url.fragment().is_none();
        if !known || !plain || !url.has_host() {
            return Err(bad());
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(900);

    fn place(
        kind: Option<PlaceKind>,
        base: Option<&str>,
        life: Option<Duration>,
    ) -> Result<ReferencePlace, PlaceError> {
        ReferencePlace::of(kind, base, life, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_place_follows_from_kind_and_base() {
        use PlaceKind::{Az, Gs, Local, S3, Url};
        let check = |kind, base, expect: &str| {
            let place = place(kind, base, None).expect("they fit");
            assert_eq!(place.reference("A"), expect, "{kind:?} {base:?}");
        };
        check(None, None, "refs/A.png");
        check(Some(Local), None, "refs/A.png");
        check(None, Some("https://cdn.example/x/"), "https://cdn.example/x/A.png");
        check(None, Some("gs://mine/x"), "gs://mine/x/A.png");
        check(Some(Url), Some("http://127.0.0.1:1/refs"), "http://127.0.0.1:1/refs/A.png");
        check(Some(Gs), None, "gs://refs/A.png");
        check(Some(S3), None, "s3://refs/A.png");
        check(Some(Az), None, "az://refs/A.png");
        check(Some(S3), Some("s3://mine/deep/er"), "s3://mine/deep/er/A.png");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        use PlaceKind::{Az, Gs, Local, S3, Url};
        let check = |kind, base: Option<&str>, life, expect: &str| {
            let refused = place(kind, base, life).map_err(|error| error.to_string());
            let error = refused.expect_err(expect);
            assert!(error.contains(expect), "{kind:?} {base:?} {life:?}: {error}");
        };
        let usual = Some(REHEARSAL_BASE);
        check(Some(Local), usual, None, "have no base address");
        check(Some(Url), None, None, "need a base address");
        check(Some(Url), Some("gs://mine"), None, "kind url are not at gs://mine");
        check(Some(S3), usual, None, "kind s3 are not at http");
        check(Some(Gs), Some("s3://mine"), None, "kind gs are not at s3://mine");
        check(None, None, Some(LIFE), "kind local carry no signature");
        check(Some(Az), None, Some(LIFE), "kind az carry no signature");
        check(None, Some("s3://refs"), Some(LIFE), "kind s3 carry no signature");
        check(None, Some("https://cdn.example/x"), Some(LIFE), "not on a rehearsal server");
        check(None, usual, Some(Duration::ZERO), "1s to 7days");
        check(None, usual, Some(LONGEST_LIFE + LIFE), "1s to 7days");
    }

    #[test]
    fn signed_addresses_are_those_that_the_store_takes() {
        use crate::domain::sigv4::verify;
        let place = place(Some(PlaceKind::Url), Some(REHEARSAL_BASE), Some(LIFE)).expect("fits");
        let address = Url::parse(&place.reference("A")).expect("an address");
        let judge = |seconds: u64| {
            let (query, time) = (address.query().expect("one"), Timestamp::UNIX_EPOCH);
            let time = time + Duration::from_secs(seconds);
            let host = "127.0.0.1:8787";
            verify(&store::credentials(), host, "/refs/A.png", query, time).is_ok()
        };
        assert_eq!([judge(0), judge(899), judge(900)], [true, true, false]);
        let end = place.signed_until().map(|it| it.as_second());
        assert_eq!((end, place.base()), (Some(900), Some(REHEARSAL_BASE)));
    }
}
