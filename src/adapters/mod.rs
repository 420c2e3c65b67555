//! Floor 2: the outer world behind the ports: files, clocks, providers.

pub mod canary_file;
pub mod fixture;
pub mod ledger;
pub mod output;
pub mod paint;
pub mod providers;
pub mod references;
pub mod rows;
pub mod system;
