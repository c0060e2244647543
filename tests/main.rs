//! The one integration binary: the real server on free ports with a temporary data folder.
//!
//! `harness` starts it and speaks to it; `contract` holds what clients may rely on; `scenario` sends
//! real telemetry through; `crash` kills; `tidy` checks the tree itself.
#![allow(missing_docs)]

mod contract;
mod crash;
mod harness;
mod scenario;
mod tidy;
