//! Vendors of images.

pub mod sim;
