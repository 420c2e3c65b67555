//! What a plan document is made from.

use jiff::tz::TimeZone;

use crate::cli::layers::Layers;
use crate::commands::run::planned::Planned;
use crate::domain::price::PriceBook;
use crate::domain::settings::RunSettings;

/// What a plan document is made from.
pub(super) struct Sources<'a> {
    /// The settings.
    pub(super) settings: &'a RunSettings,
    /// The layers they came from.
    pub(super) layers: &'a Layers,
    /// The price book.
    pub(super) book: &'a PriceBook,
    /// What the planning pass found.
    pub(super) planned: &'a Planned,
    /// The zone in which times are shown.
    pub(super) display_zone: &'a TimeZone,
}
