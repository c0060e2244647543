//! Templates of log lines: the constant text that a statement of a program writes, with `<*>` for
//! what varies. Mined where a segment is written; used as sort key, facet and pattern filter.
//!
//! Three steps, of which only the first runs for every line:
//! 1. `mask`: values that are recognised by form become `<*>`; the rest is the line's *shape*.
//! 2. `shapes`: equal shapes are counted under one number.
//! 3. `columns`: when all lines were seen, shapes that differ only in words that vary become one
//!    template. The idea that lines of one statement have the same words at the same places is that
//!    of Drain (He et al., ICWS 2017); it is applied to all shapes at once rather than to one line
//!    after another, so that the order of lines does not matter.

mod columns;
mod date;
mod groups;
mod mask;
mod miner;
mod pattern;
mod quantity;
mod sets;
mod shapes;
mod tokens;
mod word;

#[cfg(test)]
mod tests;

pub use mask::{LINE_BYTES_MAX, LINE_WORDS_MAX, WILDCARD};
pub use miner::{Limits, Miner, Template, Templates};
pub use pattern::Pattern;
