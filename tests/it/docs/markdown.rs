//! The little of Markdown that the tests need: fences, tables, links.

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The word behind the fence.
    pub(super) language: String,
    /// The line of its first line of text, counted from 1.
    pub(super) line: usize,
    /// Its text.
    pub(super) text: String,
}

/// One command of a console block, and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line of the command, counted from 1.
    pub(super) line: usize,
    /// The command without its `$`.
    pub(super) command: String,
    /// What stands below it.
    pub(super) output: String,
}

/// Every fenced block.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(markdown.lines()) {
        match (&mut open, text.strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.trim().to_owned();
                open = Some(Block { language, line: line + 1, text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(text);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The commands of a console block.
pub(super) fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in (block.line..).zip(block.text.lines()) {
        match (text.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { line, command: command.to_owned(), output: String::new() });
            }
            (None, Some(step)) => {
                step.output.push_str(text);
                step.output.push('\n');
            }
            (None, None) => panic!("line {line}: a console block starts with a command"),
        }
    }
    steps
}

/// The rows of the table whose header has exactly these cells.
pub(super) fn table(markdown: &str, header: &[&str]) -> Vec<Vec<String>> {
    let mut lines = markdown.lines();
    assert!(lines.by_ref().any(|line| cells(line) == header), "no table has the header {header:?}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// The words between backticks.
pub(super) fn code_words(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every link that leads to a file or to a heading.
pub(super) fn local_links(markdown: &str) -> Vec<String> {
    let ends = markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
}

/// The names under which headings can be linked to.
pub(super) fn anchors(markdown: &str) -> Vec<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
            kept.map(|one| if one == ' ' { '-' } else { one }).collect()
        })
        .collect()
}

fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
        return Vec::new();
    };
    let whole = inner.replace("\\|", "\u{0}");
    whole.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

#[test]
fn markdown_is_read_as_far_as_needed() {
    let text = "# A, b: c\n\n| a | b |\n|---|---|\n| 1 | `x` or `\\|` |\n\n\
                ```console\n$ one 'a\\n'\nout\n\n$ two\n```\n\
                [l](X.md) [h](#a-b-c) [w](https://x)\n";
    assert_eq!(table(text, &["a", "b"]), [["1", "`x` or `|`"]]);
    assert_eq!(code_words("`x` or `|`"), ["x", "|"]);
    let blocks = blocks(text);
    assert_eq!((blocks.len(), blocks[0].line), (1, 8));
    let step = |line, command: &str, output: &str| Step {
        line,
        command: command.to_owned(),
        output: output.to_owned(),
    };
    assert_eq!(steps(&blocks[0]), [step(8, "one 'a\\n'", "out\n\n"), step(11, "two", "")]);
    assert_eq!(local_links(text), ["X.md", "#a-b-c"]);
    assert_eq!(anchors(text), ["a-b-c"]);
}
