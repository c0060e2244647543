//! Attribute sets in SQL: one column type, and the functions that look into it.
//!
//! A set column (`attributes`, `resource_attributes`, …) holds encoded sets (`model::attrs`) in a
//! `Dictionary<UInt32, LargeBinary>`, a type that nothing else in our tables has, so that a set is
//! recognised wherever it travels in a plan. Functions work once per distinct set of a batch.
//! `attributes['k']` is planned as `attr_text(attributes, 'k')`.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, DictionaryArray,
    LargeBinaryArray, LargeBinaryBuilder, MapArray, PrimitiveArray, StringBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt32Type};
use datafusion::common::{DFSchema, ScalarValue, exec_err, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, GetFieldAccess, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use throughline_model::attrs;
use throughline_model::span::map_entries;
use throughline_model::value::ValueRef;

use crate::Result;

/// The type of a set column.
pub(crate) fn set_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::LargeBinary))
}

/// Sets from whole attribute maps, one a row.
pub(crate) fn from_map(map: &MapArray) -> ArrayRef {
    let mut sets = LargeBinaryBuilder::new();
    let mut set = Vec::new();
    for row in 0..map.len() {
        set.clear();
        map_entries(map, row).for_each(|(key, value)| attrs::put_encoded(&mut set, key, value));
        sets.append_value(&set);
    }
    one_a_row(sets.finish())
}

/// Sets from encoded sets, one a row.
pub(crate) fn from_binary(column: &BinaryArray) -> ArrayRef {
    one_a_row(column.iter().map(|set| Some(set.unwrap_or_default())).collect())
}

/// Sets, one a row.
pub(crate) fn one_a_row(sets: LargeBinaryArray) -> ArrayRef {
    let numbers = UInt32Array::from_iter_values(0..sets.len() as u32);
    Arc::new(DictionaryArray::<UInt32Type>::new(numbers, Arc::new(sets)))
}

/// Sets that lie inside the distinct values of a `Dictionary<UInt32, Binary>` column.
pub(crate) fn from_dictionary(
    column: &ArrayRef,
    inside: impl Fn(&[u8]) -> throughline_model::Result<&[u8]>,
) -> Result<ArrayRef> {
    let dict = column.as_dictionary::<UInt32Type>();
    let mut sets = LargeBinaryBuilder::new();
    for value in dict.values().as_binary::<i32>() {
        sets.append_value(inside(value.unwrap_or_default())?);
    }
    Ok(Arc::new(DictionaryArray::<UInt32Type>::new(dict.keys().clone(), Arc::new(sets.finish()))))
}

/// Sets of only these keys, from one column of encoded values (null where absent) a key. Equal
/// combinations of values share a set.
pub(crate) fn from_keys(columns: &[(&str, ArrayRef)], rows: usize) -> ArrayRef {
    const ABSENT: u32 = u32::MAX;
    let dicts = columns
        .iter()
        .map(|(key, column)| (*key, column.as_dictionary::<UInt32Type>()))
        .collect::<Vec<_>>();
    let mut known = HashMap::<Vec<u32>, u32>::new();
    let mut sets = LargeBinaryBuilder::new();
    let mut numbers = Vec::with_capacity(rows);
    let mut combination = vec![ABSENT; dicts.len()];
    let mut set = Vec::new();
    for row in 0..rows {
        for (slot, (_, dict)) in combination.iter_mut().zip(&dicts) {
            let keys = dict.keys();
            *slot = if keys.is_null(row) { ABSENT } else { keys.value(row) };
        }
        if let Some(number) = known.get(combination.as_slice()) {
            numbers.push(*number);
            continue;
        }
        set.clear();
        for (value, (key, dict)) in combination.iter().zip(&dicts) {
            if *value != ABSENT {
                let values = dict.values().as_binary::<i32>();
                attrs::put_encoded(&mut set, key, values.value(*value as usize));
            }
        }
        sets.append_value(&set);
        let number = known.len() as u32;
        known.insert(combination.clone(), number);
        numbers.push(number);
    }
    let numbers = UInt32Array::from(numbers);
    Arc::new(DictionaryArray::<UInt32Type>::new(numbers, Arc::new(sets.finish())))
}

/// What an attribute function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AttrType {
    /// The text of any value.
    Text,
    /// Integers.
    Int,
    /// Doubles, and integers as such.
    Float,
    /// Booleans.
    Bool,
}

/// `attr_text`, `attr_int`, `attr_float`, `attr_bool`: (set, key) → value or null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttrFunction {
    /// What it returns.
    pub returns: AttrType,
    signature: Signature,
}

impl AttrFunction {
    /// The function of a type.
    pub fn udf(returns: AttrType) -> ScalarUDF {
        ScalarUDF::from(Self { returns, signature: Signature::any(2, Volatility::Immutable) })
    }

    /// All of them.
    pub fn all() -> Vec<Arc<ScalarUDF>> {
        [AttrType::Text, AttrType::Int, AttrType::Float, AttrType::Bool]
            .map(|returns| Arc::new(Self::udf(returns)))
            .to_vec()
    }

    /// The function and literal key of a call, if `expr` is one.
    pub fn call(expr: &Expr) -> Option<(AttrType, &Expr, &str)> {
        let Expr::ScalarFunction(call) = expr else { return None };
        let function = call.func.inner().downcast_ref::<AttrFunction>()?;
        let [set, Expr::Literal(key, _)] = call.args.as_slice() else { return None };
        Some((function.returns, set, key.try_as_str().flatten()?))
    }
}

impl ScalarUDFImpl for AttrFunction {
    fn name(&self) -> &str {
        match self.returns {
            AttrType::Text => "attr_text",
            AttrType::Int => "attr_int",
            AttrType::Float => "attr_float",
            AttrType::Bool => "attr_bool",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        match types {
            [set, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8]
                if *set == set_type() => {}
            _ => {
                return plan_err!(
                    "{} takes an attribute set such as attributes, and a key in quotes",
                    self.name()
                );
            }
        }
        Ok(match self.returns {
            AttrType::Text => DataType::Utf8View,
            AttrType::Int => DataType::Int64,
            AttrType::Float => DataType::Float64,
            AttrType::Bool => DataType::Boolean,
        })
    }

    // `attributes['k']` prints as it was asked; a table that has no alias of its own is left out.
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let [set, key] = args else { return plan_err!("{} takes two arguments", self.name()) };
        let set = match set {
            Expr::Column(column) => match &column.relation {
                Some(table) if !super::tables::is_table(table.table()) => {
                    format!("{}.{}", table.table(), column.name)
                }
                _ => column.name.clone(),
            },
            other => other.schema_name().to_string(),
        };
        let key = match key {
            Expr::Literal(key, _) => key.try_as_str().flatten().unwrap_or_default().to_owned(),
            other => other.schema_name().to_string(),
        };
        Ok(match self.returns {
            AttrType::Text => format!("{set}['{key}']"),
            _ => format!("{}({set},'{key}')", self.name()),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let [sets, ColumnarValue::Scalar(key)] = args.args.as_slice() else {
            return exec_err!("{} takes a key in quotes, not a column", self.name());
        };
        let Some(key) = key.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(
                args.return_field.data_type(),
            )?));
        };
        let sets = sets.to_array(rows)?;
        let sets = sets.as_dictionary::<UInt32Type>();
        Ok(ColumnarValue::Array(match self.returns {
            AttrType::Text => text(sets, key)?,
            AttrType::Int => numbers::<Int64Type>(sets, key, |value| match value {
                ValueRef::Int(number) => Some(number),
                _ => None,
            })?,
            AttrType::Float => numbers::<Float64Type>(sets, key, |value| match value {
                ValueRef::Int(number) => Some(number as f64),
                ValueRef::Double(number) => Some(number),
                _ => None,
            })?,
            AttrType::Bool => Arc::new(
                look_up(sets, key, |value| match value {
                    ValueRef::Bool(flag) => Ok(Some(flag)),
                    _ => Ok(None),
                })?
                .into_iter()
                .collect::<BooleanArray>(),
            ),
        }))
    }
}

// One result a row, computed once for every set that occurs.
fn look_up<T: Copy>(
    sets: &DictionaryArray<UInt32Type>,
    key: &str,
    mut read: impl FnMut(ValueRef<'_>) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let values = sets.values().as_binary::<i64>();
    let mut known: Vec<Option<Option<T>>> = vec![None; values.len()];
    sets.keys()
        .iter()
        .map(|number| {
            let Some(number) = number.map(|number| number as usize) else { return Ok(None) };
            if let Some(result) = known[number] {
                return Ok(result);
            }
            let result = match attrs::get(values.value(number), key) {
                Some(value) => read(ValueRef::read(value)?)?,
                None => None,
            };
            known[number] = Some(result);
            Ok(result)
        })
        .collect()
}

fn numbers<T: ArrowPrimitiveType>(
    sets: &DictionaryArray<UInt32Type>,
    key: &str,
    read: impl Fn(ValueRef<'_>) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let column = look_up(sets, key, |value| Ok(read(value)))?;
    Ok(Arc::new(column.into_iter().collect::<PrimitiveArray<T>>()))
}

fn text(sets: &DictionaryArray<UInt32Type>, key: &str) -> DfResult<ArrayRef> {
    let mut texts = StringBuilder::new();
    let mut count = 0u32;
    let numbers = look_up(sets, key, |value| {
        Ok(value.text()?.map(|text| {
            texts.append_value(text);
            count += 1;
            count - 1
        }))
    })?;
    let numbers = numbers.into_iter().collect::<UInt32Array>();
    let texts = DictionaryArray::<UInt32Type>::try_new(numbers, Arc::new(texts.finish()))?;
    Ok(arrow::compute::cast(&texts, &DataType::Utf8View)?)
}

/// Plans `set['key']`.
#[derive(Debug)]
pub(crate) struct SubscriptPlanner;

impl ExprPlanner for SubscriptPlanner {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawFieldAccessExpr>> {
        if access.expr.get_type(schema)? != set_type() {
            return Ok(PlannerResult::Original(access));
        }
        let key = match access.field_access {
            GetFieldAccess::NamedStructField { name } => Expr::Literal(name, None),
            GetFieldAccess::ListIndex { key } => *key,
            GetFieldAccess::ListRange { .. } => {
                return plan_err!("an attribute set has no ranges: write attributes['key']");
            }
        };
        let call = AttrFunction::udf(AttrType::Text).call(vec![access.expr, key]);
        Ok(PlannerResult::Planned(call))
    }
}
