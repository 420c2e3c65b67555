//! Vendors of images.

pub mod openai;
pub mod sim;
