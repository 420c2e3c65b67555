//! Sniffing: the format of an input by its name and its first bytes.

use crate::adapters::rows::error::Error;
use crate::domain::row_format::RowFormat;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sniffed {
    /// How the rows are written down.
    pub(crate) format: RowFormat,
    /// Bytes of the byte order mark, which are skipped.
    pub(crate) n_mark_bytes: u64,
}

/// Tells the format: as asked for, else by the extension, else by the content.
///
/// JSON and JSONL are told apart by content even when the extension names one of them.
pub(crate) fn sniff(
    name: &str,
    extension: Option<&str>,
    asked: Option<RowFormat>,
    head: &[u8],
) -> Result<Sniffed, Error> {
    refuse_other_files(name, head)?;
    let text = head.strip_prefix(MARK).unwrap_or(head);
    let n_mark_bytes = (head.len() - text.len()) as u64;
    let by_name = || extension.and_then(|extension| extension.parse().ok());
    let format = asked.unwrap_or_else(|| match by_name() {
        Some(table @ (RowFormat::Csv | RowFormat::Tsv)) => table,
        Some(json @ (RowFormat::Json | RowFormat::Jsonl)) => json_kind(text).unwrap_or(json),
        None => json_kind(text).unwrap_or_else(|| table_kind(text)),
    });
    Ok(Sniffed { format, n_mark_bytes })
}

fn json_kind(text: &[u8]) -> Option<RowFormat> {
    match text.trim_ascii_start().first() {
        Some(b'[') => Some(RowFormat::Json),
        Some(b'{') => Some(RowFormat::Jsonl),
        _ => None,
    }
}

fn table_kind(text: &[u8]) -> RowFormat {
    let header = text.trim_ascii_start().split(|byte| b"\r\n".contains(byte)).next();
    match header {
        Some(header) if header.contains(&b'\t') => RowFormat::Tsv,
        _ => RowFormat::Csv,
    }
}

fn refuse_other_files(name: &str, head: &[u8]) -> Result<(), Error> {
    let at = |index: usize| head.get(index).copied();
    let is_wide = |zero: usize| at(zero) == Some(0) && at(zero + 2) == Some(0);
    let is_utf16 = head.starts_with(b"\xff\xfe")
        || head.starts_with(b"\xfe\xff")
        || (is_wide(0) && at(1) != Some(0))
        || (is_wide(1) && at(0) != Some(0));
    if is_utf16 {
        let title = format!("{name} is UTF-16 text, and rows must be UTF-8");
        let fix = "save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\"), or convert it with \
                   iconv -f UTF-16 -t UTF-8";
        return Err(Error::of_file("input.utf16", name, title, fix));
    }
    for (start, kind) in [
        (&b"PK\x03\x04"[..], "a spreadsheet or zip file"),
        (b"\x1f\x8b", "a compressed file"),
        (b"%PDF", "a PDF file"),
        (b"\x89PNG", "an image"),
    ] {
        if head.starts_with(start) {
            let title = format!("{name} is {kind}, not text");
            return Err(Error::of_file("input.kind", name, title, "export the rows as CSV"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extension: Option<&str>, head: &[u8], format: RowFormat, n_mark_bytes: u64) {
        let sniffed = sniff("rows", extension, None, head).expect("a format");
        assert_eq!(sniffed, Sniffed { format, n_mark_bytes }, "{extension:?} {head:?}");
    }

    #[test]
    fn the_extension_decides_between_tables_and_the_content_the_rest() {
        check(Some("csv"), b"[a\tb", RowFormat::Csv, 0);
        check(Some("TSV"), b"a,b", RowFormat::Tsv, 0);
        check(Some("json"), b" \n[{", RowFormat::Json, 0);
        check(Some("json"), b"{\"a\": 1}", RowFormat::Jsonl, 0);
        check(Some("jsonl"), b"[", RowFormat::Json, 0);
        check(Some("ndjson"), b"", RowFormat::Jsonl, 0);
        check(None, b"\xef\xbb\xbf[", RowFormat::Json, 3);
        check(None, b"{", RowFormat::Jsonl, 0);
        check(Some("txt"), b"a\tb\nc,d", RowFormat::Tsv, 0);
        check(None, b"a,b\n\t", RowFormat::Csv, 0);
        check(None, b"", RowFormat::Csv, 0);
        let asked = sniff("rows", Some("csv"), Some(RowFormat::Jsonl), b"a").expect("a format");
        assert_eq!(asked.format, RowFormat::Jsonl);
    }

    #[test]
    fn files_that_are_no_utf8_text_are_named() {
        for (head, code) in [
            (&b"\xff\xfea\0,\0"[..], "input.utf16"),
            (b"\xfe\xff\0a", "input.utf16"),
            (b"a\0,\0b\0", "input.utf16"),
            (b"\0a\0,", "input.utf16"),
            (b"PK\x03\x04", "input.kind"),
            (b"\x1f\x8b\x08", "input.kind"),
        ] {
            match sniff("rows", Some("csv"), None, head) {
                Err(Error::Input(fault)) => assert_eq!(fault.code, code, "{head:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
