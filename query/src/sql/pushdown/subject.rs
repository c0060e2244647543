//! What a condition of SQL looks at, and the literals that it compares with.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Case;
use throughline_model::predicate::{Operand, Target};

use crate::sql::sets::{AttrFunction, AttrType};
use crate::sql::tables::columns::{Make, SqlColumn};

/// The left side of a comparison.
pub(super) struct Subject<'a> {
    /// Where the scan finds it.
    pub target: Target,
    /// What it is.
    pub kind: Kind<'a>,
    /// Whether a row may lack the value: SQL then says null where the scan's negations match.
    pub nullable: bool,
}

/// What a value is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Id,
    Text,
    Number,
    Float,
    Bool,
    Time,
    EndTime,
    Named(&'a [&'static str]),
}

impl<'a> Subject<'a> {
    /// The subject that an expression is.
    pub fn of(expr: &Expr, columns: &'a [SqlColumn]) -> Option<Self> {
        if let Expr::Column(column) = expr {
            let column = columns.iter().find(|known| known.name == column.name)?;
            let kind = match &column.make {
                Make::Id(_) => Kind::Id,
                Make::Text(_) => Kind::Text,
                Make::Number(_) => Kind::Number,
                Make::Time(_) => Kind::Time,
                Make::EndTime => Kind::EndTime,
                Make::Named(_, names) => Kind::Named(names),
                _ => return None,
            };
            let target = Target::Column(column.make.source()?.to_owned());
            return Some(Self { target, kind, nullable: column.nullable });
        }
        if let Some((first, second)) = first_present(expr) {
            return Self::of_either(first, second, columns);
        }
        let (returns, target) = attribute(expr, columns)?;
        let kind = match returns {
            AttrType::Text => Kind::Text,
            AttrType::Int => Kind::Number,
            AttrType::Float => Kind::Float,
            AttrType::Bool => Kind::Bool,
        };
        Some(Self { target, kind, nullable: true })
    }

    // The text of an attribute of the item, and where it has none, of the resource.
    fn of_either(first: &Expr, second: &Expr, columns: &[SqlColumn]) -> Option<Self> {
        match (attribute(first, columns)?, attribute(second, columns)?) {
            (
                (AttrType::Text, Target::Attribute(key)),
                (AttrType::Text, Target::ResourceAttribute(same)),
            ) if key == same => {
                let target = Target::PresentAttribute(key);
                Some(Self { target, kind: Kind::Text, nullable: true })
            }
            _ => None,
        }
    }

    /// Whether the scan compares just as SQL does: typed functions look at one type, the scan's numbers
    /// at all.
    pub fn is_exact(&self) -> bool {
        matches!(self.kind, Kind::Id | Kind::Text | Kind::Named(_))
            || matches!((&self.target, self.kind), (Target::Column(_), Kind::Number | Kind::Time))
    }

    /// A literal that it is compared with.
    pub fn operand(&self, value: &ScalarValue) -> Option<Operand> {
        Some(match self.kind {
            Kind::Text => Operand::Text(value.try_as_str()??.to_owned()),
            Kind::Id => match value {
                ScalarValue::Binary(Some(bytes)) => Operand::Bytes(bytes.clone()),
                _ => return None,
            },
            Kind::Number => Operand::Int(integer(value)?),
            Kind::Float => match value {
                ScalarValue::Float64(Some(number)) if number.is_finite() => Operand::Float(*number),
                _ => return None,
            },
            Kind::Bool => match value {
                ScalarValue::Boolean(Some(flag)) => Operand::Bool(*flag),
                _ => return None,
            },
            Kind::Time => Operand::Int(nanoseconds(value)?),
            Kind::EndTime => return None,
            Kind::Named(names) => {
                let name = value.try_as_str()??;
                Operand::Int(names.iter().position(|known| *known == name)? as i64)
            }
        })
    }
}

// The two sides of `coalesce(a, b)`, which the optimiser writes as a CASE.
fn first_present(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
            match call.args.as_slice() {
                [first, second] => Some((first, second)),
                _ => None,
            }
        }
        Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(second) }) => {
            let [(when, then)] = when_then_expr.as_slice() else { return None };
            let Expr::IsNotNull(tested) = &**when else { return None };
            (tested == then).then_some((&**then, &**second))
        }
        _ => None,
    }
}

fn attribute(expr: &Expr, columns: &[SqlColumn]) -> Option<(AttrType, Target)> {
    let (returns, set, key) = AttrFunction::call(expr)?;
    let Expr::Column(set) = set else { return None };
    let column = columns.iter().find(|known| known.name == set.name)?;
    let target = match column.make {
        Make::ItemSet => Target::Attribute(key.to_owned()),
        Make::ResourceSet => Target::ResourceAttribute(key.to_owned()),
        Make::ScopeSet => Target::ScopeAttribute(key.to_owned()),
        _ => return None,
    };
    Some((returns, target))
}

/// A whole number that a literal is.
pub(super) fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int32(Some(number)) => Some(i64::from(*number)),
        ScalarValue::Int64(Some(number)) => Some(*number),
        ScalarValue::UInt32(Some(number)) => Some(i64::from(*number)),
        _ => None,
    }
}

/// A time that a literal is.
pub(super) fn nanoseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(Some(t), _) => Some(*t),
        _ => None,
    }
}
