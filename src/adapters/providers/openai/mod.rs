//! The `openai` dialect: `images/generations`, and `images/edits` for rows with references.

mod answer;
mod provider;
mod refusal;
mod request;
mod scan;

pub use provider::{OpenAi, Remote};
