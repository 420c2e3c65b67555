//! Floor 3: arguments, environment and config files become complete, valid settings.

pub mod args;
pub mod config_file;
pub mod env_vars;
pub mod invocation;
pub mod key_source;
pub mod layers;
pub mod resolve;
pub mod shown;
pub mod when;
