//! `attr_without(set, 'key')`: an attribute set with a key less, worked out once a distinct set.

use std::sync::Arc;

use arrow::array::{AsArray, DictionaryArray, LargeBinaryBuilder};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use throughline_model::attrs;

use super::super::sets::set_type;
use crate::Result;

#[derive(Debug, PartialEq, Eq, Hash)]
struct AttrWithout {
    signature: Signature,
}

/// The function.
pub(super) fn udf() -> ScalarUDF {
    ScalarUDF::from(AttrWithout { signature: Signature::any(2, Volatility::Immutable) })
}

impl ScalarUDFImpl for AttrWithout {
    fn name(&self) -> &str {
        "attr_without"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        match types {
            [set, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8]
                if *set == set_type() =>
            {
                Ok(set_type())
            }
            _ => plan_err!(
                "attr_without takes an attribute set such as attributes, and a key in quotes"
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [sets, ColumnarValue::Scalar(key)] = args.args.as_slice() else {
            return exec_err!("attr_without takes a key in quotes, not a column");
        };
        let sets = sets.to_array(args.number_rows)?;
        let Some(key) = key.try_as_str().flatten() else { return Ok(ColumnarValue::Array(sets)) };
        let sets = sets.as_dictionary::<UInt32Type>();
        let mut left = LargeBinaryBuilder::new();
        let mut set = Vec::new();
        for value in sets.values().as_binary::<i64>() {
            set.clear();
            put_without(&mut set, value.unwrap_or_default(), key)?;
            left.append_value(&set);
        }
        let left = DictionaryArray::<UInt32Type>::new(sets.keys().clone(), Arc::new(left.finish()));
        Ok(ColumnarValue::Array(Arc::new(left)))
    }
}

fn put_without(out: &mut Vec<u8>, set: &[u8], key: &str) -> Result<()> {
    for entry in attrs::iter(set) {
        let (name, value) = entry?;
        if name != key {
            attrs::put_encoded(out, name, value);
        }
    }
    Ok(())
}
