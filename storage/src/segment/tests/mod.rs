//! Rows through segments and back, by the public interfaces.

mod chunks;
mod damage;
mod data;
mod facts;
mod round_trip;
mod unusual;

pub(crate) use data::{Fixture, log_keys, random_logs, random_spans, span_keys};
pub(crate) use round_trip::{all_rows, context, tier};
