//! What the functions of the lowered SQL do to one text, without any column: the engine wraps each in a
//! function of SQL ([`super::functions`]). What depends on a literal is prepared once.
//!
//! - [`text`]: words, phrases, prefixes; [`wildcard`]: words with `*`
//! - [`json`], [`logfmt`], [`pattern`], [`regexes`]: fields out of a text
//! - [`amount`]: numbers, durations and sizes in a text

pub mod amount;
pub mod json;
pub mod logfmt;
pub mod pattern;
pub mod regexes;
pub mod text;
pub mod wildcard;
