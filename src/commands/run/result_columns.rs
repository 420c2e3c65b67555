//! The columns of the tables of results: the input's own, and ours behind them.

use crate::adapters::output::picture::N_OWN;

/// What we say of a row.
const OWN: [&str; N_OWN] = ["outcome", "files", "cost", "attempts", "error"];

/// The column that is ours to replace wherever it comes from.
pub(super) fn is_error(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case(OWN[4])
}

/// The names of all columns; ours give way to the input's.
pub(super) fn head(names: &[&str], has_name: bool) -> Vec<String> {
    let mut head: Vec<String> =
        names.iter().filter(|name| !is_error(name)).map(|name| (*name).to_owned()).collect();
    for own in (!has_name).then_some("scene_id").into_iter().chain(OWN) {
        let mut name = own.to_owned();
        while head.iter().any(|other| other.trim().eq_ignore_ascii_case(&name)) {
            name = format!("imagemill_{name}");
        }
        head.push(name);
    }
    head
}
