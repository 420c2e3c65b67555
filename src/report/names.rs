//! The names that images would have, for people.

use std::fmt::Write as _;

use crate::domain::image_name::NameTemplate;
use crate::domain::sanitize::one_line;
use crate::report::words::count;

/// An image and the name that it would have.
#[derive(Clone, Debug)]
pub struct NamedImage {
    /// The row's number, counted from 1.
    pub row: u64,
    /// The row's name.
    pub scene_id: String,
    /// Which of its images.
    pub variant: u8,
    /// The name, without an extension.
    pub name: String,
}

/// The names of the first images, and how many there are in all.
pub fn names_view(
    template: &NameTemplate,
    shown: &[NamedImage],
    n_rows: u64,
    n_images: u64,
) -> String {
    let mut text = format!("Template  {template}\n");
    for image in shown {
        let scene = one_line(&image.scene_id);
        let _ = writeln!(
            text,
            "row {} ({scene}) image {}  images/{}.EXT",
            image.row, image.variant, image.name
        );
    }
    let _ = writeln!(
        text,
        "{} of {}: every name is another one; EXT is png, jpg or webp, as the image's bytes say{}",
        count(n_images, "image"),
        count(n_rows, "row"),
        if template.has_digest() { ", and the zeros become the digits of its digest" } else { "" },
    );
    text
}
