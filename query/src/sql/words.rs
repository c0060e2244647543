//! `has_word`, `has_phrase`, `has_prefix`: whether a text has words, as log searches understand them
//! (`model::words`). False where there is no text, so that `NOT` finds these rows too.
//!
//! `has_word(body, 'reset')` and `has_phrase(body, 'connection reset')` want the words side by side,
//! whatever stands between; of the last word `has_prefix(body, 'conn')` is the beginning. What has no
//! word (`=>`) is looked for as it is. On columns of tables the scan decides, with the word index.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use throughline_model::predicate::Op;
use throughline_model::words::Phrase;

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct HasWords {
    name: &'static str,
    prefix: bool,
    signature: Signature,
}

impl HasWords {
    /// All of them.
    pub fn all() -> Vec<Arc<ScalarUDF>> {
        let function = |(name, prefix)| {
            let signature = Signature::string(2, Volatility::Immutable);
            Arc::new(ScalarUDF::from(Self { name, prefix, signature }))
        };
        [("has_word", false), ("has_phrase", false), ("has_prefix", true)].map(function).to_vec()
    }

    /// What a call asks of which text, if it is one with a literal.
    pub fn call(expr: &Expr) -> Option<(&Expr, Op)> {
        let Expr::ScalarFunction(call) = expr else { return None };
        let function = call.func.inner().downcast_ref::<Self>()?;
        let [text, wanted] = call.args.as_slice() else { return None };
        let Expr::Literal(wanted, _) = wanted else { return None };
        let wanted = wanted.try_as_str().flatten()?;
        Some((text, op(wanted, function.prefix)))
    }
}

fn op(wanted: &str, prefix: bool) -> Op {
    match Phrase::of(wanted, prefix) {
        Some(phrase) => Op::Phrase(phrase),
        None => Op::Contains(wanted.to_owned()),
    }
}

impl ScalarUDFImpl for HasWords {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [text, wanted] = args.args.as_slice() else {
            return plan_err!("{} takes a text and what to look for in it", self.name);
        };
        let ColumnarValue::Scalar(wanted) = wanted else {
            return exec_err!("the second argument of {} must be a literal text", self.name);
        };
        let Some(wanted) = wanted.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(false))));
        };
        let op = op(wanted, self.prefix);
        let texts = cast(&text.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let texts = texts.as_string_view();
        let has = |row: usize| {
            texts.is_valid(row)
                && match &op {
                    Op::Phrase(phrase) => phrase.is_in(texts.value(row)),
                    _ => texts.value(row).contains(wanted),
                }
        };
        let rows = (0..texts.len()).map(|row| Some(has(row))).collect::<BooleanArray>();
        Ok(ColumnarValue::Array(Arc::new(rows)))
    }
}
