//! The functions of PromQL: names, parameters, results.

use super::ast::Type;

/// How many arguments a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variadic {
    /// As many as it has parameters.
    No,
    /// The last parameter may be missing, or be repeated: up to so many in its place.
    UpTo(usize),
    /// The last parameter may be missing, or be repeated without end.
    Any,
}

/// A function.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its parameters.
    pub parameters: &'static [Type],
    /// Whether their number varies.
    pub variadic: Variadic,
    /// The type of its result.
    pub returns: Type,
}

use Type::{Matrix as M, Scalar as S, Text as T, Vector as V};

const fn function(name: &'static str, parameters: &'static [Type], returns: Type) -> Function {
    Function { name, parameters, variadic: Variadic::No, returns }
}

const fn variadic(
    name: &'static str,
    parameters: &'static [Type],
    variadic: Variadic,
    returns: Type,
) -> Function {
    Function { name, parameters, variadic, returns }
}

/// All functions, by name.
pub static FUNCTIONS: &[Function] = &[
    function("abs", &[V], V),
    function("absent", &[V], V),
    function("absent_over_time", &[M], V),
    function("acos", &[V], V),
    function("acosh", &[V], V),
    function("asin", &[V], V),
    function("asinh", &[V], V),
    function("atan", &[V], V),
    function("atanh", &[V], V),
    function("avg_over_time", &[M], V),
    function("ceil", &[V], V),
    function("changes", &[M], V),
    function("clamp", &[V, S, S], V),
    function("clamp_max", &[V, S], V),
    function("clamp_min", &[V, S], V),
    function("cos", &[V], V),
    function("cosh", &[V], V),
    function("count_over_time", &[M], V),
    variadic("day_of_month", &[V], Variadic::UpTo(1), V),
    variadic("day_of_week", &[V], Variadic::UpTo(1), V),
    variadic("day_of_year", &[V], Variadic::UpTo(1), V),
    variadic("days_in_month", &[V], Variadic::UpTo(1), V),
    function("deg", &[V], V),
    function("delta", &[M], V),
    function("deriv", &[M], V),
    function("double_exponential_smoothing", &[M, S, S], V),
    function("end", &[], S),
    function("exp", &[V], V),
    function("first_over_time", &[M], V),
    function("floor", &[V], V),
    function("histogram_avg", &[V], V),
    function("histogram_count", &[V], V),
    function("histogram_fraction", &[S, S, V], V),
    function("histogram_quantile", &[S, V], V),
    variadic("histogram_quantiles", &[V, T, S, S], Variadic::UpTo(9), V),
    function("histogram_stddev", &[V], V),
    function("histogram_stdvar", &[V], V),
    function("histogram_sum", &[V], V),
    variadic("hour", &[V], Variadic::UpTo(1), V),
    function("idelta", &[M], V),
    function("increase", &[M], V),
    variadic("info", &[V, V], Variadic::UpTo(1), V),
    function("irate", &[M], V),
    variadic("label_join", &[V, T, T, T], Variadic::Any, V),
    function("label_replace", &[V, T, T, T, T], V),
    function("last_over_time", &[M], V),
    function("ln", &[V], V),
    function("log10", &[V], V),
    function("log2", &[V], V),
    function("mad_over_time", &[M], V),
    function("max_of", &[S, S], S),
    function("max_over_time", &[M], V),
    function("min_of", &[S, S], S),
    function("min_over_time", &[M], V),
    variadic("minute", &[V], Variadic::UpTo(1), V),
    variadic("month", &[V], Variadic::UpTo(1), V),
    function("pi", &[], S),
    function("predict_linear", &[M, S], V),
    function("present_over_time", &[M], V),
    function("quantile_over_time", &[S, M], V),
    function("rad", &[V], V),
    function("range", &[], S),
    function("rate", &[M], V),
    function("resets", &[M], V),
    variadic("round", &[V, S], Variadic::UpTo(1), V),
    function("scalar", &[V], S),
    function("sgn", &[V], V),
    function("sin", &[V], V),
    function("sinh", &[V], V),
    function("sort", &[V], V),
    variadic("sort_by_label", &[V, T], Variadic::Any, V),
    variadic("sort_by_label_desc", &[V, T], Variadic::Any, V),
    function("sort_desc", &[V], V),
    function("sqrt", &[V], V),
    function("start", &[], S),
    function("start_timestamp", &[V], V),
    function("stddev_over_time", &[M], V),
    function("stdvar_over_time", &[M], V),
    function("step", &[], S),
    function("sum_over_time", &[M], V),
    function("tan", &[V], V),
    function("tanh", &[V], V),
    function("time", &[], S),
    function("timestamp", &[V], V),
    function("ts_of_first_over_time", &[M], V),
    function("ts_of_last_over_time", &[M], V),
    function("ts_of_max_over_time", &[M], V),
    function("ts_of_min_over_time", &[M], V),
    function("vector", &[S], V),
    variadic("year", &[V], Variadic::UpTo(1), V),
];

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
}

/// Functions whose result depends on the time of evaluation even where their arguments do not.
pub fn depends_on_time(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "days_in_month",
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "end",
        "hour",
        "minute",
        "month",
        "year",
        "predict_linear",
        "range",
        "start",
        "step",
        "time",
        "timestamp",
    ];
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_in_order() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
    }
}
