//! Reads Rust source just well enough for the tidy tests: code without comments and strings,
//! the paths that it names, and how long its functions are.

use std::iter::Peekable;
use std::str::CharIndices;

/// The code of a file: comments and the content of strings and characters are blanks, so that
/// every byte keeps its line.
pub(crate) fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to) = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => (at, end_of_line(bytes, at)),
            b'/' if bytes.get(at + 1) == Some(&b'*') => (at, end_of_comment(bytes, at)),
            b'"' => (at + 1, end_of_string(bytes, at + 1)),
            b'r' if !is_word_before(bytes, at) => match end_of_raw_string(bytes, at) {
                Some(end) => (at + 1, end),
                None => (at, at),
            },
            b'\'' => match end_of_character(bytes, at) {
                Some(end) => (at + 1, end),
                None => (at, at),
            },
            _ => (at, at),
        };
        for byte in &mut code[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        // A string's closing quote is stepped over, so that it does not open another one.
        at = to.max(at) + 1;
    }
    String::from_utf8(code).expect("only whole characters were blanked")
}

fn is_word_before(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    // `br` and `cr` open raw strings as well.
    before.is_some_and(|byte| {
        (byte.is_ascii_alphanumeric() || byte == b'_') && !matches!(byte, b'b' | b'c')
    })
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
}

fn end_of_comment(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 1;
            }
            b"*/" => {
                depth -= 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

fn end_of_raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let n_hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + 1 + n_hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain([b'#'].repeat(n_hashes)).collect();
    let body = at + 2 + n_hashes;
    let end = bytes[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(bytes.len(), |n| body + n + n_hashes))
}

/// The closing quote of a character; nothing when the quote opens a lifetime.
fn end_of_character(bytes: &[u8], at: usize) -> Option<usize> {
    let text = std::str::from_utf8(&bytes[at + 1..]).ok()?;
    let mut characters = text.char_indices();
    match characters.next()? {
        (_, '\\') => text[2..].find('\'').map(|n| at + 3 + n),
        _ => match characters.next()? {
            (n, '\'') => Some(at + 1 + n),
            _ => None,
        },
    }
}

/// A path that code names, from its root word on: `crate`, `super` or the crate's own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// The line, from 1.
    pub(crate) line: usize,
    /// Its words, the root word first.
    pub(crate) words: Vec<String>,
}

/// Every path of `code` that starts at `root`; a group is one path for each of its members.
pub(crate) fn paths_from(code: &str, root: &str) -> Vec<NamedPath> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(root) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let before = at.checked_sub(1).map(|before| code.as_bytes()[before]);
        let is_inside = before.is_some_and(|byte| is_word(byte) || byte == b':');
        let rest = &code[at + root.len()..];
        if is_inside || !rest.trim_start().starts_with("::") {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut tokens = rest.char_indices().peekable();
        let mut found = Vec::new();
        read_path(rest, &mut tokens, vec![root.to_owned()], &mut found);
        paths.extend(found.into_iter().map(|words| NamedPath { line, words }));
    }
    paths
}

fn read_path(
    text: &str,
    tokens: &mut Peekable<CharIndices<'_>>,
    mut words: Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    loop {
        skip_blanks(tokens);
        if tokens.peek().is_none_or(|(_, next)| *next != ':') {
            found.push(words);
            return;
        }
        tokens.next();
        if tokens.next_if(|(_, next)| *next == ':').is_none() {
            found.push(words);
            return;
        }
        skip_blanks(tokens);
        if tokens.next_if(|(_, next)| *next == '{').is_some() {
            return read_group(text, tokens, &words, found);
        }
        match read_word(text, tokens) {
            Some(word) => words.push(word),
            None => {
                found.push(words);
                return;
            }
        }
    }
}

fn read_group(
    text: &str,
    tokens: &mut Peekable<CharIndices<'_>>,
    words: &[String],
    found: &mut Vec<Vec<String>>,
) {
    loop {
        skip_blanks(tokens);
        match tokens.peek() {
            None => return,
            Some((_, '}')) => {
                tokens.next();
                return;
            }
            Some(_) => {}
        }
        match read_word(text, tokens) {
            Some(word) => {
                let mut member = words.to_vec();
                member.push(word);
                read_path(text, tokens, member, found);
            }
            // A comma, a star, or `as`'s new name, which reads as a word of its own.
            None => drop(tokens.next()),
        }
    }
}

fn skip_blanks(tokens: &mut Peekable<CharIndices<'_>>) {
    while tokens.next_if(|(_, next)| next.is_whitespace()).is_some() {}
}

fn read_word(text: &str, tokens: &mut Peekable<CharIndices<'_>>) -> Option<String> {
    let (start, _) = *tokens.peek()?;
    let mut end = start;
    while let Some((at, next)) = tokens.next_if(|(_, it)| it.is_alphanumeric() || *it == '_') {
        end = at + next.len_utf8();
    }
    (end > start).then(|| text[start..end].to_owned())
}

/// A function: its name, its first line (from 1) and the number of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) n_lines: usize,
}

/// Every function of `code` that has a body, from `fn` to its closing brace.
pub(crate) fn functions_of(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_inside = at.checked_sub(1).is_some_and(|before| {
            let byte = code.as_bytes()[before];
            byte.is_ascii_alphanumeric() || byte == b'_'
        });
        let name: String =
            code[at + 3..].chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
        if is_inside || name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_function(&code.as_bytes()[at..]) {
            let line = code[..at].matches('\n').count() + 1;
            let n_lines = code[at..at + end].matches('\n').count() + 1;
            functions.push(Function { name, line, n_lines });
        }
    }
    functions
}

/// The end of the body that follows; nothing when there is none.
fn end_of_function(code: &[u8]) -> Option<usize> {
    let (mut braces, mut brackets) = (0_u32, 0_u32);
    for (at, byte) in code.iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn comments_and_strings_are_no_code() {
    let check = |text: &str, code: &str| assert_eq!(code_of(text), code, "{text:?}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check(r#"f("crate::x \" y", 'z')"#, r#"f("             ", ' ')"#);
    check("r#\"a \" b\"# + c", "r        # + c");
    check("fn f<'a>(x: &'a str) { '\\'' }", "fn f<'a>(x: &'a str) { '  ' }");
    check("'\"' + 'é' + x", "' ' + '  ' + x");
}

#[test]
fn paths_are_found_in_groups_over_many_lines_and_inside_of_functions() {
    let check = |text: &str, expect: &[&str]| {
        let found: Vec<String> =
            paths_from(text, "crate").iter().map(|path| path.words.join("::")).collect();
        assert_eq!(found, expect, "{text}");
    };
    check("use crate::a::B;", &["crate::a::B"]);
    check(
        "use crate::{\n  a::{B, c::D},\n  e,\n};",
        &["crate::a::B", "crate::a::c::D", "crate::e"],
    );
    check(
        "fn f() -> crate::a::B { crate::c::d::<crate::e::F>(); }",
        &["crate::a::B", "crate::c::d", "crate::e::F"],
    );
    check("pub(crate) fn f() {} use my_crate::x;", &[]);
    check("use crate::a::*; use crate ::b;", &["crate::a", "crate::b"]);
}

#[test]
fn the_lines_of_functions_are_counted() {
    let text = "fn a() {}\nimpl X {\n    fn b(\n        x: [u8; 2],\n    ) {\n        y();\n    }\n\
                fn c();\n}\n";
    let found: Vec<(String, usize, usize)> =
        functions_of(text).into_iter().map(|it| (it.name, it.line, it.n_lines)).collect();
    assert_eq!(found, [("a".to_owned(), 1, 1), ("b".to_owned(), 3, 5)]);
}
