//! What the page of a trace asks for: its skeleton, its facts, single spans in full, and comparisons.
//! The meaning of each: `docs/trace-page.md`.

pub mod binary;
pub mod compare_wire;
pub mod facts_wire;
pub mod params;
pub mod routes;
pub mod wire;
