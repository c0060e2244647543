//! The functions that the log language is lowered to (`logs::language::functions`), over columns. What
//! one does to a text is a kernel of the language; here it is wrapped, and what depends on literals is
//! prepared once a query.
//!
//! - [`amount`]: numbers, durations and sizes in texts; [`fields`]: JSON and logfmt
//! - [`extract`]: patterns and regular expressions; [`wildcard`]: words with `*`
//! - [`level`]: the level of a record; [`without`]: attribute sets with a key less
//!
//! `has_word`, `has_phrase` and `has_prefix` are in [`super::words`].

mod amount;
mod extract;
mod fields;
mod level;
mod wildcard;
mod without;

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use parking_lot::Mutex;

pub(crate) use wildcard::whole_words;

/// What is prepared of literals is kept for so many of them.
const PREPARED_MAX: usize = 64;

/// All of them, with caches of their own.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let texts = amount::all().into_iter().chain(fields::all()).chain(extract::all());
    let texts = texts.chain([wildcard::udf()]).map(ScalarUDF::from);
    texts.chain([level::udf(), without::udf()]).map(Arc::new).collect()
}

/// The text that a call for an amount looks at, if it is one: the amount is null where the text is.
pub(crate) fn amount_of(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = expr else { return None };
    amount::NAMES.contains(&call.func.name()).then(|| call.args.first()).flatten()
}

type Run = dyn Fn(&StringViewArray, &[&str]) -> DfResult<ArrayRef> + Send + Sync;

/// A function of a text and of literals behind it.
struct TextFunction {
    name: &'static str,
    result: DataType,
    signature: Signature,
    run: Box<Run>,
}

impl TextFunction {
    fn new(
        name: &'static str,
        literals: usize,
        result: DataType,
        run: impl Fn(&StringViewArray, &[&str]) -> DfResult<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        let signature = Signature::string(1 + literals, Volatility::Immutable);
        Self { name, result, signature, run: Box::new(run) }
    }

    /// One that gives a text or null for a text.
    fn of_text(
        name: &'static str,
        literals: usize,
        kernel: impl Fn(&str, &[&str]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, literals, DataType::Utf8View, move |texts, literals| {
            Ok(mapped(texts, |text| kernel(text, literals)))
        })
    }
}

impl fmt::Debug for TextFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

// A name stands for one function: what is prepared is no part of what it is.
impl PartialEq for TextFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TextFunction {}

impl Hash for TextFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let Some((text, rest)) = args.args.split_first() else {
            return exec_err!("{} takes a text", self.name);
        };
        let mut literals = Vec::with_capacity(rest.len());
        for argument in rest {
            let ColumnarValue::Scalar(value) = argument else {
                return exec_err!("what {} takes behind the text must be in quotes", self.name);
            };
            let Some(literal) = value.try_as_str().flatten() else {
                let nothing = match self.result {
                    DataType::Boolean => ScalarValue::Boolean(Some(false)),
                    _ => ScalarValue::try_from(&self.result)?,
                };
                return Ok(ColumnarValue::Scalar(nothing));
            };
            literals.push(literal);
        }
        let texts = cast(&text.to_array(args.number_rows)?, &DataType::Utf8View)?;
        (self.run)(texts.as_string_view(), &literals).map(ColumnarValue::Array)
    }
}

// A text or null for each text, null for null.
fn mapped(texts: &StringViewArray, kernel: impl Fn(&str) -> Option<String>) -> ArrayRef {
    let mut out = StringViewBuilder::with_capacity(texts.len());
    texts.iter().for_each(|text| out.append_option(text.and_then(&kernel)));
    Arc::new(out.finish())
}

/// What is prepared of literals, by their text.
struct Prepared<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Prepared<T> {
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn of(&self, literal: &str, prepare: impl Fn(&str) -> DfResult<T>) -> DfResult<Arc<T>> {
        if let Some(known) = self.0.lock().get(literal) {
            return Ok(known.clone());
        }
        let prepared = Arc::new(prepare(literal)?);
        let mut known = self.0.lock();
        if known.len() >= PREPARED_MAX {
            known.clear();
        }
        known.insert(literal.to_owned(), prepared.clone());
        Ok(prepared)
    }
}
