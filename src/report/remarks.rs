//! What is said under the gate table: of references, and of images that are not as they should be.

use crate::domain::fetch_tally::FetchTally;
use crate::domain::report::ReportImages;

/// What was done to get references, when there were any.
pub fn references_line(tally: &FetchTally) -> String {
    if tally.fetched + tally.failed == 0 {
        return String::new();
    }
    format!(
        "References: {} fetched ({} bytes), {} unchanged since an earlier run, shared {} times, {} \
         signed anew, {} failed\n",
        tally.fetched, tally.bytes, tally.unchanged, tally.shared, tally.refreshed, tally.failed
    )
}

/// What a look at the images found, when it found anything.
pub fn images_line(images: &ReportImages) -> String {
    let found = [
        ("images.invalid", images.invalid, "no image, or of another size than asked for"),
        ("images.blank", images.blank, "showing nothing"),
        ("images.duplicate", images.duplicate, "like another one of their row"),
    ];
    let found: Vec<String> = found
        .into_iter()
        .filter(|(_, n, _)| *n > 0)
        .map(|(metric, n, what)| format!("{metric} {n} ({what})"))
        .collect();
    if found.is_empty() { String::new() } else { format!("Look at: {}\n", found.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_only_where_something_is_wrong_with_one() {
        assert_eq!(images_line(&ReportImages { stored: 5, ..ReportImages::default() }), "");
        let flawed = ReportImages { invalid: 1, duplicate: 2, ..ReportImages::default() };
        assert_eq!(
            images_line(&flawed),
            "Look at: images.invalid 1 (no image, or of another size than asked for), \
             images.duplicate 2 (like another one of their row)\n"
        );
    }
}
