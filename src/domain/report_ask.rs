//! Which reports are written, and where to: `KIND=PATH`.

use std::str::FromStr;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// A page to look at.
    Html,
    /// The document that `--format json` prints.
    Json,
    /// JUnit XML.
    Junit,
    /// The Test Anything Protocol.
    Tap,
    /// Markdown, for a pull request.
    Markdown,
    /// Annotations, summary and outputs of a job of GitHub Actions.
    Github,
}

impl ReportKind {
    /// Every kind with its word.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Html, "html"),
        (Self::Json, "json"),
        (Self::Junit, "junit"),
        (Self::Tap, "tap"),
        (Self::Markdown, "md"),
        (Self::Github, "github"),
    ];
}

/// A report that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportAsk {
    /// Its kind.
    pub kind: ReportKind,
    /// Its file; `-` for standard output.
    pub path: String,
}

/// Why a text asks for no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--report takes KIND=PATH, where KIND is html, json, junit, tap, md or github; not {0:?}")]
pub struct ReportAskError(pub String);

impl FromStr for ReportAsk {
    type Err = ReportAskError;

    fn from_str(text: &str) -> Result<Self, ReportAskError> {
        let bad = || ReportAskError(text.to_owned());
        let (word, path) = match text.split_once('=') {
            Some((word, path)) => (word, path),
            // Annotations mean something on standard output only.
            None if text == "github" => (text, "-"),
            None => return Err(bad()),
        };
        let word = if word == "markdown" { "md" } else { word };
        let kind = ReportKind::ALL.into_iter().find(|(_, known)| *known == word);
        match kind {
            Some((kind, _)) if !path.is_empty() => Ok(Self { kind, path: path.to_owned() }),
            Some(_) | None => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_asked_for_by_kind_and_path() {
        let ask = |text: &str| text.parse::<ReportAsk>().map(|it| (it.kind, it.path));
        assert_eq!(ask("junit=a=b.xml"), Ok((ReportKind::Junit, "a=b.xml".to_owned())));
        assert_eq!(ask("markdown=-"), Ok((ReportKind::Markdown, "-".to_owned())));
        assert_eq!(ask("github"), Ok((ReportKind::Github, "-".to_owned())));
        for text in ["", "html", "html=", "pdf=x", "=x"] {
            assert_eq!(ask(text), Err(ReportAskError(text.to_owned())), "{text:?}");
        }
    }
}
