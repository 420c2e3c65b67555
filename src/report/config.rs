//! The settings as people and scripts read them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::tables::{Column, TableLook, table};

/// The settings that count.
#[derive(Clone, Debug)]
pub struct ConfigView {
    /// The files that were read, the weaker one first.
    pub files: Vec<FileView>,
    /// Every setting.
    pub settings: Vec<SettingView>,
    /// What was left out, since its file is not trusted.
    pub left_out: Vec<String>,
    /// The gates of the config file, when it has any.
    pub gates: Option<Vec<String>>,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize)]
pub struct FileView {
    /// Its path.
    pub path: String,
    /// Whose it is.
    pub whose: &'static str,
}

/// A setting.
#[derive(Clone, Debug, Serialize)]
pub struct SettingView {
    /// Its key.
    pub key: &'static str,
    /// The value that counts; nothing when none was given.
    pub value: Option<ValueView>,
    /// Values that it hides, the strongest first.
    pub hidden: Vec<ValueView>,
    /// What counts when nobody gives a value, in words.
    pub default: &'static str,
}

/// A value and its origin.
#[derive(Clone, Debug, Serialize)]
pub struct ValueView {
    /// The value as it was given.
    pub text: String,
    /// Where.
    pub origin: String,
}

/// The same for a script.
#[derive(Debug, Serialize)]
pub struct ConfigDocument<'a> {
    schema: &'static str,
    files: &'a [FileView],
    settings: &'a [SettingView],
    left_out: &'a [String],
    gates: &'a Option<Vec<String>>,
}

impl ConfigView {
    /// The same for a script.
    pub fn document(&self) -> ConfigDocument<'_> {
        let Self { files, settings, left_out, gates } = self;
        ConfigDocument { schema: "imagemill.config/1", files, settings, left_out, gates }
    }
}

/// The settings as a table.
pub fn config_table(view: &ConfigView, with_origin: bool, width: u16) -> String {
    let mut rows = Vec::new();
    for setting in &view.settings {
        let (text, origin) = match &setting.value {
            Some(value) => (value.text.clone(), value.origin.clone()),
            None => (setting.default.to_owned(), "default".to_owned()),
        };
        if !with_origin {
            rows.push(vec![setting.key.to_owned(), text]);
            continue;
        }
        let hidden: Vec<String> =
            setting.hidden.iter().map(|it| format!("{} ({})", it.text, it.origin)).collect();
        rows.push(vec![setting.key.to_owned(), text, origin, hidden.join(", ")]);
    }
    let heads: &[&str] =
        if with_origin { &["setting", "value", "from", "hides"] } else { &["setting", "value"] };
    let columns: Vec<Column<'_>> = heads.iter().map(|head| Column::Words(head)).collect();
    let mut text = table(TableLook { width, ..TableLook::default() }, &columns, &rows);
    if let Some(gates) = &view.gates {
        let _ = writeln!(text, "gates: {}", gates.join("; "));
    }
    for file in &view.files {
        let _ = writeln!(text, "read {} ({})", file.path, file.whose);
    }
    for left_out in &view.left_out {
        let _ = writeln!(text, "left out: {left_out}");
    }
    text
}
