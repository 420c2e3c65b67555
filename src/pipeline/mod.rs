//! Floor 2: the run itself. Feed, spawn, join; every stage of a row in a file of its own.

mod admit;
mod clock_watch;
pub mod context;
mod counter;
pub mod event_task;
mod exchange;
mod feed;
pub mod fetch;
mod generate;
mod keeper;
pub mod lane;
mod lane_news;
pub mod ledger_task;
pub mod linger;
pub mod lock_watch;
pub mod outlook;
mod patience;
pub mod persist;
mod recourse;
pub mod reference_pool;
mod row;
mod settle;
pub mod stop;

pub use feed::run;
