//! `severity_level(severity_number, severity_text)`: the level of a record by its number, and where that
//! is 0 by its text; null where it has none.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_err;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::logs::language::Level;

#[derive(Debug, PartialEq, Eq, Hash)]
struct SeverityLevel {
    signature: Signature,
}

/// The function.
pub(super) fn udf() -> ScalarUDF {
    let types = vec![DataType::Int64, DataType::Utf8View];
    ScalarUDF::from(SeverityLevel { signature: Signature::exact(types, Volatility::Immutable) })
}

impl ScalarUDFImpl for SeverityLevel {
    fn name(&self) -> &str {
        "severity_level"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [numbers, texts] = args.args.as_slice() else {
            return exec_err!("severity_level takes a number and a text");
        };
        let (numbers, texts) =
            (numbers.to_array(args.number_rows)?, texts.to_array(args.number_rows)?);
        let pairs = numbers.as_primitive::<Int64Type>().iter().zip(texts.as_string_view());
        let mut levels = StringViewBuilder::with_capacity(numbers.len());
        for (number, text) in pairs {
            let number = number.and_then(|number| i32::try_from(number).ok());
            let level = number.zip(text).and_then(|(number, text)| Level::of_record(number, text));
            levels.append_option(level.map(Level::name));
        }
        Ok(ColumnarValue::Array(Arc::new(levels.finish())))
    }
}
