//! Scraping: targets of Prometheus' kind are asked for their metrics again and again.
//!
//! ```text
//! configuration ─→ manager ─→ pool, one a job ←─ discovery
//!                              └─→ scraper, one a target ─→ client ─→ exposition ─→ page ─→ request
//! ```
//! What is stored of a scrape goes the way of a request of remote write 2.0, so that the log, the decoder and their
//! tests are the same for what is pushed and what is pulled. See docs/scraping.md.

mod client;
pub mod config;
mod discovery;
pub mod exposition;
mod manager;
pub(crate) mod page;
mod pool;
pub mod relabel;
mod request;
mod scraper;
pub mod status;
pub(crate) mod target;

pub use config::ScrapeConfig;
pub use manager::run;
pub use pool::Ground;
pub use status::Targets;
