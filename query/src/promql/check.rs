//! Whether the types of an expression fit.

use super::ast::{Binary, Call, Cardinality, Expr, Span, Type, VectorSelector};
use super::error::ParseError;
use super::functions::Variadic;

type Result<T> = std::result::Result<T, ParseError>;

/// Checks the types of an expression and all inside, and settles what depends on them: matching is
/// only for vectors, and that of set operators is many-to-many.
pub fn types(text: &str, expr: &mut Expr) -> Result<()> {
    Check { text }.expr(expr)
}

/// Whether a selector selects something: an empty one would select all.
pub fn selector(text: &str, selector: &VectorSelector) -> Result<()> {
    Check { text }.selector(selector, false)
}

struct Check<'a> {
    text: &'a str,
}

impl Check<'_> {
    fn error<T>(&self, span: Span, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.text, span, message))
    }

    fn expect(&self, expr: &Expr, wanted: Type, context: &str) -> Result<()> {
        let found = expr.value_type();
        if found == wanted {
            return Ok(());
        }
        let (wanted, found) = (wanted.name(), found.name());
        self.error(expr.span(), format!("expected type {wanted} in {context}, got {found}"))
    }

    fn expr(&self, expr: &mut Expr) -> Result<()> {
        if let Expr::Call(call) = expr {
            return self.call(call);
        }
        for child in expr.children_mut() {
            self.expr(child)?;
        }
        match expr {
            Expr::Aggregate(aggregate) => {
                self.expect(&aggregate.operand, Type::Vector, "aggregation expression")?;
                if let Some(parameter) = &aggregate.parameter {
                    let is_text = aggregate.op == super::ast::AggregateOp::CountValues;
                    let wanted = if is_text { Type::Text } else { Type::Scalar };
                    self.expect(parameter, wanted, "aggregation parameter")?;
                }
                Ok(())
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::Unary(unary) => match unary.operand.value_type() {
                Type::Scalar | Type::Vector => Ok(()),
                other => self.error(
                    expr.span(),
                    format!(
                        "unary expression only allowed on expressions of type scalar or instant \
                         vector, got {:?}",
                        other.name()
                    ),
                ),
            },
            Expr::Subquery(subquery) => match subquery.inner.value_type() {
                Type::Vector => Ok(()),
                other => self.error(
                    expr.span(),
                    format!(
                        "subquery is only allowed on instant vector, got {} instead",
                        other.name()
                    ),
                ),
            },
            Expr::Vector(vector) => self.selector(vector, false),
            Expr::Matrix(matrix) => self.selector(&matrix.selector, false),
            _ => Ok(()),
        }
    }

    fn selector(&self, selector: &VectorSelector, may_be_empty: bool) -> Result<()> {
        if let Some(name) = &selector.name {
            let others = &selector.matchers[..selector.matchers.len() - 1];
            return match others.iter().find(|matcher| &*matcher.name == "__name__") {
                Some(matcher) => self.error(
                    selector.span,
                    format!("metric name must not be set twice: {name:?} or {:?}", &*matcher.value),
                ),
                None => Ok(()),
            };
        }
        if may_be_empty || selector.matchers.iter().any(|matcher| !matcher.matches("")) {
            return Ok(());
        }
        self.error(selector.span, "vector selector must contain at least one non-empty matcher")
    }

    fn binary(&self, binary: &mut Binary) -> Result<()> {
        let (left, right) = (binary.left.value_type(), binary.right.value_type());
        let span = Span { start: binary.left.span().start, end: binary.right.span().end };
        let operator = self.operator(binary);
        if binary.returns_bool && !binary.op.is_comparison() {
            return self.error(operator, "bool modifier can only be used on comparison operators");
        }
        let is_scalar = left == Type::Scalar && right == Type::Scalar;
        if binary.op.is_comparison() && !binary.returns_bool && is_scalar {
            return self.error(operator, "comparisons between scalars must use BOOL modifier");
        }
        for (operand, found) in [(&binary.left, left), (&binary.right, right)] {
            if found != Type::Scalar && found != Type::Vector {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.error(operand.span(), message);
            }
        }
        let matching = binary.matching.get_or_insert_default();
        let both = matching.include.iter().find(|label| matching.labels.contains(label));
        if let (Some(label), true) = (both, matching.is_on) {
            let message =
                format!("label {:?} must not occur in ON and GROUP clause at once", &**label);
            return self.error(operator, message);
        }
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if left != Type::Vector || right != Type::Vector {
            if binary.op.is_set() {
                let message = format!(
                    "set operator {:?} not allowed in binary scalar expression",
                    binary.op.symbol()
                );
                return self.error(span, message);
            }
            if !matching.labels.is_empty() {
                return self.error(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                let message = "filling in missing series only allowed between instant vectors";
                return self.error(span, message);
            }
            binary.matching = None;
            return Ok(());
        }
        if !binary.op.is_set() {
            return Ok(());
        }
        if matching.cardinality != Cardinality::OneToOne {
            let message = format!("no grouping allowed for {:?} operation", binary.op.symbol());
            return self.error(span, message);
        }
        if fills {
            let message = "filling in missing series not allowed for set operators";
            return self.error(span, message);
        }
        matching.cardinality = Cardinality::ManyToMany;
        Ok(())
    }

    /// Where the operator of a binary expression stands, with its modifiers.
    fn operator(&self, binary: &Binary) -> Span {
        let (start, end) = (binary.left.span().end, binary.right.span().start);
        let between = self.text.get(start..end).unwrap_or_default();
        let start = start + between.len() - between.trim_start().len();
        Span { start, end: start + between.trim().len() }
    }

    fn call(&self, call: &mut Call) -> Result<()> {
        let function = call.function;
        let (parameters, given) = (function.parameters.len(), call.arguments.len());
        let (least, most) = match function.variadic {
            Variadic::No => (parameters, parameters),
            Variadic::UpTo(more) => (parameters - 1, parameters - 1 + more),
            Variadic::Any => (parameters - 1, usize::MAX),
        };
        if given < least || given > most {
            let (bound, count) = match function.variadic {
                Variadic::No => ("", parameters),
                _ if given < least => ("at least ", least),
                _ => ("at most ", most),
            };
            let message = format!(
                "expected {bound}{count} argument(s) in call to {:?}, got {given}",
                function.name
            );
            return self.error(call.span, message);
        }
        for (i, argument) in call.arguments.iter_mut().enumerate() {
            if function.name == "info" && i == 1 {
                self.info_selector(argument)?;
                continue;
            }
            self.expr(argument)?;
            let wanted = function.parameters[i.min(parameters - 1)];
            let context = format!("call to function {:?}", function.name);
            self.expect(argument, wanted, &context)?;
        }
        Ok(())
    }

    /// The second argument of `info` names labels, and so may select everything.
    fn info_selector(&self, argument: &Expr) -> Result<()> {
        match argument {
            Expr::Vector(vector) if vector.name.is_none() => self.selector(vector, true),
            Expr::Vector(_) => {
                let message = "expected label selectors only, got vector selector instead";
                self.error(argument.span(), message)
            }
            _ => self.error(argument.span(), "expected label selectors only"),
        }
    }
}
