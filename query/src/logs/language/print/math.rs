//! Expressions as text, with as few parentheses as their meaning allows.

use std::fmt::{self, Display, Formatter};

use super::super::ast::{MathExpr, MathFunction, MathOp};
use super::super::grammar::MATH_FUNCTIONS;
use super::pipe::name;

const RANK_NEGATE: u8 = 3;
const RANK_ATOM: u8 = 5;

impl MathOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::Pow => "^",
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Add | Self::Sub => 1,
            Self::Mul | Self::Div | Self::Rem => 2,
            Self::Pow => 4,
        }
    }
}

impl MathFunction {
    /// Its name.
    pub fn text(self) -> &'static str {
        let known = MATH_FUNCTIONS.iter().find(|(known, ..)| *known == self);
        known.map_or("abs", |(_, name, ..)| name)
    }
}

fn rank(expr: &MathExpr) -> u8 {
    match expr {
        MathExpr::Binary { op, .. } => op.rank(),
        MathExpr::Negate(_) => RANK_NEGATE,
        _ => RANK_ATOM,
    }
}

impl Display for MathExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Field(field) => f.write_str(&name(&field.text, false)),
            Self::Negate(inner) => {
                f.write_str("-")?;
                ranked(f, inner, RANK_NEGATE)
            }
            Self::Binary { op, left, right } => {
                // `^` goes to the right and takes a sign there, the others go to the left.
                let (left_min, right_min) = match op {
                    MathOp::Pow => (RANK_ATOM, RANK_NEGATE),
                    op => (op.rank(), op.rank() + 1),
                };
                ranked(f, left, left_min)?;
                write!(f, " {} ", op.text())?;
                ranked(f, right, right_min)
            }
            Self::Call { function, arguments } => {
                write!(f, "{}(", function.text())?;
                for (number, argument) in arguments.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

fn ranked(f: &mut Formatter<'_>, expr: &MathExpr, min: u8) -> fmt::Result {
    if rank(expr) < min { write!(f, "({expr})") } else { write!(f, "{expr}") }
}
