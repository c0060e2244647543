//! `as_number`, `duration_in`, `bytes_of`: what a text says as an amount; null where it says none.

use std::sync::Arc;

use arrow::array::{Float64Array, StringViewArray};
use arrow::datatypes::DataType;

use super::TextFunction;
use crate::logs::language::kernels::amount;

/// Their names. All are null where their text is.
pub(super) const NAMES: [&str; 3] = ["as_number", "duration_in", "bytes_of"];

/// The functions.
pub(super) fn all() -> [TextFunction; 3] {
    let [as_number, duration_in, bytes_of] = NAMES;
    let function = |name, literals, kernel: fn(&str, &[&str]) -> Option<f64>| {
        TextFunction::new(
            name,
            literals,
            DataType::Float64,
            move |texts: &StringViewArray, literals: &[&str]| {
                let number = |text: Option<&str>| text.and_then(|text| kernel(text, literals));
                Ok(Arc::new(texts.iter().map(number).collect::<Float64Array>()))
            },
        )
    };
    [
        function(as_number, 0, |text, _| amount::as_number(text)),
        function(duration_in, 1, |text, unit| amount::duration_in(text, unit.first()?)),
        function(bytes_of, 0, |text, _| amount::bytes_of(text)),
    ]
}
