//! A place in a bucket where runs are handed over to: `s3://bucket/folder`, `gs://…`, `az://…`.

use std::fmt;
use std::str::FromStr;

use crate::domain::fetch::Bucket;

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutBucket {
    /// The bucket.
    pub bucket: Bucket,
    /// What all names there begin with, without a slash at its ends; empty for the bucket itself.
    pub prefix: String,
}

/// Why a text is no place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in a bucket: s3://name/folder, gs://name/folder or az://name/folder")]
pub struct OutBucketError(String);

impl OutBucket {
    /// Whether a text means a place in a bucket, and no folder.
    pub fn is_meant(text: &str) -> bool {
        text.contains("://")
    }

    /// The name of a file there, which is told relative to `out`.
    pub fn name_of(&self, file: &str) -> String {
        match self.prefix.as_str() {
            "" => file.to_owned(),
            prefix => format!("{prefix}/{file}"),
        }
    }
}

impl FromStr for OutBucket {
    type Err = OutBucketError;

    fn from_str(text: &str) -> Result<Self, OutBucketError> {
        let bad = || OutBucketError(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket: Bucket = format!("{scheme}://{name}").parse().map_err(|_| bad())?;
        let prefix = prefix.trim_end_matches('/');
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=".contains(letter);
        let is_part = |part: &str| {
            !part.is_empty() && part.trim_matches('.') == part && part.chars().all(is_plain)
        };
        if bucket.name.starts_with('.') || !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(bad());
        }
        Ok(Self { bucket, prefix: prefix.to_owned() })
    }
}

impl fmt::Display for OutBucket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(out, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_bucket_and_perhaps_a_folder() {
        for (text, name) in [
            ("s3://b", "R/x.png"),
            ("gs://b/", "R/x.png"),
            ("az://b.c/in/made=1/", "in/made=1/R/x.png"),
        ] {
            let place: OutBucket = text.parse().expect(text);
            assert_eq!(place.name_of("R/x.png"), name, "{text}");
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in
            ["out", "s3://", "s3:///x", "s3://b//x", "s3://b/../x", "ftp://b/x", "s3://b/a b"]
        {
            text.parse::<OutBucket>().expect_err(text);
        }
        assert!(OutBucket::is_meant("ftp://b/x") && !OutBucket::is_meant("C:/out"));
    }
}
