//! `json_field`, `json_fields`, `logfmt_field`, `logfmt_fields`: fields out of texts.

use super::TextFunction;
use crate::logs::language::kernels::{json, logfmt};

/// The functions.
pub(super) fn all() -> [TextFunction; 4] {
    [
        TextFunction::of_text("json_field", 1, |text, name| json::json_field(text, name.first()?)),
        TextFunction::of_text("json_fields", 0, |text, _| json::json_fields(text)),
        TextFunction::of_text("logfmt_field", 1, |text, name| {
            logfmt::logfmt_field(text, name.first()?)
        }),
        TextFunction::of_text("logfmt_fields", 0, |text, _| logfmt::logfmt_fields(text)),
    ]
}
