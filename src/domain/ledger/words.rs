//! The closed vocabularies of the ledger's lines, each with its one spelling.

/// Declares an enum whose variants have one written word each.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every member, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word as it stands in the ledger.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The member with this word, or nothing.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.word())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| {
                    serde::de::Error::custom(format_args!("unknown word {word:?}"))
                })
            }
        }
    };
}

pub(super) use words;

words! {
    /// Whose money a ledger counts.
    Money {
        /// Dollars that a provider bills.
        Real = "real",
        /// Dollars of a rehearsal; they never touch the real day.
        Simulated = "simulated",
    }
}

words! {
    /// How the amount of a settle is known.
    CostSource {
        /// The provider named the amount.
        Reported = "reported",
        /// Reported usage times the price book.
        Usage = "usage",
        /// The price book alone: the provider has a flat price.
        Price = "price",
        /// Nothing was reported, so the worst case is booked.
        Maximum = "maximum",
    }
}

words! {
    /// Why it is certain that an attempt cost nothing; nothing else may release a hold.
    Evidence {
        /// No byte of the request left: the connection, name or handshake failed first, or the
        /// caller gave up before sending.
        NotSent = "not-sent",
        /// The reservation never reached the one who asked for it.
        NeverSent = "never-sent",
        /// The connection was refused.
        ConnectionRefused = "connection-refused",
        /// Answered 401 or 403.
        Unauthorized = "unauthorized",
        /// Answered 404.
        NotFound = "not-found",
        /// Answered 429.
        RateLimited = "rate-limited",
        /// A structured 400, 413 or 422 that the adapter's table declares free.
        Invalid = "invalid",
    }
}

words! {
    /// Why nobody knows what an attempt cost.
    UnknownClass {
        /// No answer in time.
        Timeout = "timeout",
        /// The connection broke after the request was sent.
        Reset = "reset",
        /// The provider answered with a server error.
        ServerError = "5xx",
        /// An answer that could not be read.
        BadBody = "bad-body",
        /// The account or the address was turned away with a status that nobody declares free.
        Denied = "denied",
        /// A status that says nothing about the bill.
        Unexpected = "unexpected",
        /// A refusal without usage where the adapter's table is silent.
        Refusal = "refusal",
        /// The process that held the reservation is dead.
        Lost = "lost",
        /// The process left while the attempt was under way.
        Left = "left",
    }
}

words! {
    /// What ended an unknown.
    Basis {
        /// The provider was asked about the job.
        Poll = "poll",
        /// A line of the provider's cost export.
        Export = "export",
        /// The sidecar of the stored image.
        Sidecar = "sidecar",
        /// A person said so.
        Person = "person",
    }
}

words! {
    /// Where a limit came from.
    LimitOrigin {
        /// Nobody named one when the ledger was made.
        Default = "default",
        /// A flag, when the ledger was made.
        Flag = "flag",
        /// A config file, when the ledger was made.
        Config = "config",
        /// A person changed it.
        Person = "person",
    }
}

words! {
    /// Why a segment was opened.
    OpenReason {
        /// The ledger is new.
        Created = "created",
        /// The day changed.
        Day = "day",
        /// The segment before was full.
        Size = "size",
        /// The segment before had a sync error, and is not believed any further.
        SyncError = "sync-error",
    }
}
