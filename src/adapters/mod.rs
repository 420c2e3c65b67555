//! Floor 2: the outer world behind the ports: files, clocks, providers.

pub mod canary_file;
pub mod cost_export;
pub mod disk;
pub mod fixture;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod output;
pub mod providers;
pub mod references;
pub mod rows;
pub mod system;
pub mod trust_file;
