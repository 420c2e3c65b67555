//! What `seed` says when it is done.

use url::{Host, Url};

use crate::domain::egress::{AllowList, check_url};
use crate::domain::seed::SeedSummary;

/// Digits of a SHA-256 that are shown.
const SHORT_DIGEST: usize = 12;

/// The summary for people, with a line end after each line.
pub fn text(summary: &SeedSummary) -> String {
    let SeedSummary { file, totals, seed, reference_base, signed_until, sha256, unchanged } =
        summary;
    let references = match (totals.references, reference_base) {
        (0, _) => "no references".to_owned(),
        (n, None) => format!("{n} rows with a reference (pictures in refs/)"),
        (n, Some(base)) => format!("{n} rows with a reference URL under {base}/"),
    };
    let sameness = match signed_until {
        None => "(same flags, same bytes)".to_owned(),
        Some(end) => format!("· signed until {}", end.strftime("%Y-%m-%dT%H:%M:%SZ")),
    };
    let state = if *unchanged { " (was there already, unchanged)" } else { "" };
    format!(
        "{file}: {} rows, {} images (variants 1-3), {references}{state}\n  \
         {totals}\n  \
         ids {} … {} · seed {seed} {sameness} · sha256 {}\n\
         Next: imagemill run {file}{}\n",
        totals.rows,
        totals.images,
        totals.first,
        totals.last,
        sha256.get(..SHORT_DIGEST).unwrap_or(sha256),
        reference_base.as_deref().and_then(opening_flag).unwrap_or_default(),
    )
}

/// The flag without which a run would refuse references of this address, when there is one.
fn opening_flag(base: &str) -> Option<String> {
    let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if check_url(base, None, &AllowList::default()).is_ok() {
        return None;
    }
    let entry = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => format!("{address}/32"),
        Host::Ipv6(address) => format!("{address}/128"),
    };
    check_url(base, None, &entry.parse().ok()?).ok()?;
    Some(format!(" --allow-refs-from {entry}"))
}

/// The summary for machines: one object.
pub fn json(summary: &SeedSummary) -> String {
    let mut text = serde_json::to_string_pretty(summary).expect("plain strings and numbers");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seed::SeedPlan;

    #[test]
    fn the_next_line_opens_what_a_run_would_refuse() {
        let check = |base: &str, expect: &str| {
            let expect = (!expect.is_empty()).then(|| format!(" --allow-refs-from {expect}"));
            assert_eq!(opening_flag(base), expect, "{base}");
        };
        check("http://127.0.0.1:8787/refs", "127.0.0.1/32");
        check("https://127.0.0.1/refs", "127.0.0.1/32");
        check("http://[::1]:8787/refs", "::1/128");
        check("http://localhost:8787/refs", "localhost");
        check("http://cdn.example/refs", "cdn.example");
        check("https://10.0.0.1/refs", "10.0.0.1/32");
        check("https://cdn.example/refs", "");
        check("s3://refs", "");
        check("https://user@cdn.example/refs", "");
    }

    #[test]
    fn the_summary_tells_the_exact_distribution() {
        let mut summary = SeedSummary {
            file: "rows.csv".to_owned(),
            totals: SeedPlan::default().totals(),
            seed: 42,
            reference_base: None,
            signed_until: None,
            sha256: "3f9c0123456789abcdef".to_owned(),
            unchanged: false,
        };
        assert_eq!(
            text(&summary),
            "rows.csv: 100 rows, 199 images (variants 1-3), \
             20 rows with a reference (pictures in refs/)\n  \
             34 rows with 1 variant, 33 with 2, 33 with 3\n  \
             ids BATCH-001 … BATCH-100 · seed 42 (same flags, same bytes) · sha256 3f9c01234567\n\
             Next: imagemill run rows.csv\n"
        );
        summary.reference_base = Some("https://cdn.example/refs".to_owned());
        summary.unchanged = true;
        let first = text(&summary);
        let first = first.lines().next().expect("a line");
        assert!(
            first.ends_with(
                "20 rows with a reference URL under https://cdn.example/refs/ \
                 (was there already, unchanged)"
            ),
            "{first}"
        );
        summary.signed_until = Some(jiff::Timestamp::UNIX_EPOCH);
        let signed = text(&summary);
        assert!(signed.contains("seed 42 · signed until 1970-01-01T00:00:00Z · sha"), "{signed}");
        assert!(json(&summary).contains("\"rows_by_variants\": [\n      34,"));
    }
}
