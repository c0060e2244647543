//! Heads: what was acknowledged but does not stand in segments yet.
//!
//! Per signal one live head takes appends; at a size or an age it is sealed, waits for its flush, and
//! leaves the view in the same swap in which its segments enter.
mod budget;
mod list;
mod split;
pub(crate) mod window;

pub(crate) use budget::{Budget, Reservation};
pub use list::{HeadBatch, HeadSlice, Heads};
pub(crate) use list::{HeadList, Incoming, Receipt};
pub(crate) use split::{split_points, split_rows};
