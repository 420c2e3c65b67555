//! The store of the rehearsal server, in the manner of S3: one bucket, and keys that are no secret.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::sigv4::{self, Credentials};

/// The only bucket; it is the first word of every path.
pub const BUCKET: &str = "refs";

/// The region that the store says it is in.
pub const REGION: &str = "us-east-1";

/// The name of the key, and the key. Everybody knows both: they open a rehearsal and nothing else.
pub const PUBLIC_KEY: &str = "imagemill-sim";

/// The credentials of the store. They are no secret.
pub fn credentials() -> Credentials {
    Credentials {
        access_key_id: PUBLIC_KEY.to_owned(),
        secret_access_key: PUBLIC_KEY.to_owned(),
        session_token: None,
    }
}

/// The query that opens an address of the store for a while. `host` has the port where the address
/// has one; `path` is percent-encoded.
pub fn presign(host: &str, path: &str, time: Timestamp, life: Duration) -> String {
    sigv4::presign(&credentials(), REGION, host, path, time, life)
}
