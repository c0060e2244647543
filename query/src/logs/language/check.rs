//! What parses and still cannot mean anything: fields that a pipe left out, texts where numbers are
//! needed, times that are none. Lowering finds all of it, since it is what gives a query its meaning.

use super::ast::Query;
use super::error::Result;
use super::lower::{Bounds, lower};
use super::units::SECOND_NS;

/// Some range: whether a query means something does not depend on it.
const ANY_BOUNDS: Bounds = Bounds {
    start_ns: 1_700_000_000 * SECOND_NS,
    end_ns: 1_700_003_600 * SECOND_NS,
    now_ns: 1_700_003_600 * SECOND_NS,
    limit: 1,
    newest_first: true,
};

/// Whether a query can mean something; the error says why not, and where.
pub fn check(query: &Query) -> Result<()> {
    lower(query, &ANY_BOUNDS).map(|_| ())
}
