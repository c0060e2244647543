//! What is different: between two traces ([`paths`]), and between two sets of spans ([`sets`]).
//!
//! ```text
//! two traces: rows and tree of each ─▶ spans by path of (service, name) ─▶ counts and durations of both
//! two sets:   scan A, scan B ─▶ Tally: how many spans of each have which value ─▶ rank ─▶ differences
//! ```
//! Exact definitions: `docs/trace-page.md`.

pub mod paths;
mod rank;
pub mod sets;
mod tally;
