//! What `seed` says when it is done.

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
         Next: imagemill run {file}\n",
        totals.rows,
        totals.images,
        totals.first,
        totals.last,
        sha256.get(..SHORT_DIGEST).unwrap_or(sha256),
    )
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
