//! `exception_fingerprint(type, message, stacktrace)`: the group of an exception, as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use throughline_model::exception::{Exception, Fingerprinter};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExceptionFingerprint {
    signature: Signature,
}

impl ExceptionFingerprint {
    /// The function.
    pub fn udf() -> ScalarUDF {
        let signature = Signature::string(3, Volatility::Immutable);
        ScalarUDF::from(Self { signature })
    }
}

impl ScalarUDFImpl for ExceptionFingerprint {
    fn name(&self) -> &str {
        "exception_fingerprint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let text = |argument: &ColumnarValue| -> DfResult<ArrayRef> {
            Ok(cast(&argument.to_array(args.number_rows)?, &DataType::Utf8View)?)
        };
        let columns = args.args.iter().map(text).collect::<DfResult<Vec<_>>>()?;
        let mut fingerprinter = Fingerprinter::default();
        let mut texts = StringViewBuilder::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let part = |at: usize| {
                let column = columns[at].as_string_view();
                if column.is_valid(row) { column.value(row) } else { "" }
            };
            let exception = Exception { kind: part(0), message: part(1), stacktrace: part(2) };
            let fingerprint = fingerprinter.fingerprint(&exception);
            texts.append_option((!exception.is_empty()).then(|| fingerprint.to_string()));
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}
