//! Ids in SQL: binary inside, hex digits outside.
//!
//! Id columns have type `Binary`, which nothing else in our tables has. Before types are coerced,
//! [`HexLiterals`] turns hex digits that are compared with an id into bytes, and an id that meets
//! other text into its digits (`id_text`).

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// `id_text(id)`: the lowercase hex digits of an id.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdText {
    signature: Signature,
}

impl IdText {
    /// The function.
    pub fn udf() -> ScalarUDF {
        let signature = Signature::exact(vec![DataType::Binary], Volatility::Immutable);
        ScalarUDF::from(Self { signature })
    }
}

/// The hex digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("writing to a string"));
    text
}

impl ScalarUDFImpl for IdText {
    fn name(&self) -> &str {
        "id_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let ids = args.args[0].to_array(args.number_rows)?;
        let mut texts = StringViewBuilder::with_capacity(ids.len());
        ids.as_binary::<i32>().iter().for_each(|id| texts.append_option(id.map(hex)));
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct HexLiterals;

impl AnalyzerRule for HexLiterals {
    fn name(&self) -> &str {
        "hex_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewrite_plan)?.data)
    }
}

fn rewrite_plan(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        let source =
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
        schema.merge(&source);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|expr| rewrite_expr(expr, &schema))?;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if op.supports_propagation() || op == Operator::StringConcat =>
        {
            let compares_text = op == Operator::StringConcat || is_regex(op);
            let (left, right) = match (is_id(&left, schema), is_id(&right, schema)) {
                (true, false) => meet(*left, *right, compares_text, schema)?,
                (false, true) => {
                    let (right, left) = meet(*right, *left, compares_text, schema)?;
                    (left, right)
                }
                _ => (*left, *right),
            };
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left.into(), op, right.into()))))
        }
        Expr::InList(InList { expr, list, negated }) if is_id(&expr, schema) => {
            let list =
                list.into_iter().map(|item| id_literal(item, &expr)).collect::<DfResult<_>>()?;
            Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_id(&expr, schema) => {
            let low = Box::new(id_literal(*low, &expr)?);
            let high = Box::new(id_literal(*high, &expr)?);
            Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })))
        }
        Expr::Like(like) if is_id(&like.expr, schema) => {
            let expr = Box::new(as_text(*like.expr));
            Ok(Transformed::yes(Expr::Like(Like { expr, ..like })))
        }
        Expr::Cast(cast) if is_id(&cast.expr, schema) && cast.field.data_type().is_string() => {
            Ok(Transformed::yes(as_text(*cast.expr)))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_id(expr: &Expr, schema: &DFSchema) -> bool {
    !matches!(expr, Expr::Literal(..))
        && expr.get_type(schema).is_ok_and(|data_type| data_type == DataType::Binary)
}

fn is_regex(op: Operator) -> bool {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    matches!(op, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch)
}

fn as_text(id: Expr) -> Expr {
    IdText::udf().call(vec![id])
}

// An id beside something else: digits become bytes; beside other text the id becomes text.
fn meet(id: Expr, other: Expr, compares_text: bool, schema: &DFSchema) -> DfResult<(Expr, Expr)> {
    if compares_text {
        return Ok((as_text(id), other));
    }
    if matches!(&other, Expr::Literal(..)) {
        let other = id_literal(other, &id)?;
        return Ok((id, other));
    }
    if other.get_type(schema).is_ok_and(|data_type| data_type.is_string()) {
        return Ok((as_text(id), other));
    }
    Ok((id, other))
}

fn id_literal(literal: Expr, id: &Expr) -> DfResult<Expr> {
    let Expr::Literal(value, metadata) = &literal else { return Ok(literal) };
    let Some(Some(digits)) = value.try_as_str() else { return Ok(literal) };
    match id_bytes(digits) {
        Some(bytes) => Ok(Expr::Literal(ScalarValue::Binary(Some(bytes)), metadata.clone())),
        None => plan_err!(
            "'{digits}', compared with {}, is no id: a trace id has 32 hex digits, a span id 16",
            id.schema_name()
        ),
    }
}

fn id_bytes(digits: &str) -> Option<Vec<u8>> {
    match digits.len() {
        32 => throughline_model::TraceId::parse(digits).ok().map(|id| id.0.to_vec()),
        16 => throughline_model::SpanId::parse(digits).ok().map(|id| id.0.to_vec()),
        _ => None,
    }
}
