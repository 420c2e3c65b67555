//! Floor 0: values, arithmetic and decisions. No async, no I/O, no clock.

pub mod cell;
pub mod column;
pub mod diagnostic;
pub mod file_name;
pub mod ids;
pub mod money;
pub mod reference;
pub mod row;
pub mod row_format;
pub mod sanitize;
pub mod template;
