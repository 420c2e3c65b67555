//! Floor 0: values, arithmetic and decisions. No async, no I/O, no clock.

pub mod batch;
pub mod canary;
pub mod event;
pub mod gate;
pub mod ids;
pub mod image;
pub mod ledger;
pub mod measure;
pub mod money;
pub mod percent;
pub mod plan;
pub mod price;
pub mod reference;
pub mod report;
pub mod request;
pub mod retry;
pub mod row;
pub mod seed;
pub mod settings;
pub mod sidecar;
pub mod sim;
pub mod stats;
pub mod suggest;
