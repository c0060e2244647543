//! Numbers in buckets: what they ask of `stats`, and how they are written.

use serde_json::{Map, Value, json};
use throughline_model::time::parse_rfc3339;

use super::super::dsl::{listed, malformed, object, scalar, text_of};
use super::super::error::{ElasticError, Result};
use super::super::names::Name;

const MILLI_NS: i64 = 1_000_000;
/// Percentiles, unless the request names some.
const PERCENTS: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];
const PERCENTS_MAX: usize = 20;
const FIELDS_MAX: usize = 20;
/// Deviations around the mean, unless the request says how many.
const SIGMA: f64 = 2.0;

/// A number, or several from one field.
#[derive(Debug)]
pub struct Metric {
    /// What the request calls it.
    pub name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    One(&'static str, Name),
    Percentiles(Name, Vec<f64>),
    Stats(Name),
    ExtendedStats(Name, f64),
    /// Of the newest record, or of the oldest.
    Top(Vec<String>, bool),
}

impl Metric {
    /// Reads a metric; none if it is no name of one.
    pub fn read(name: &str, kind: &str, body: &Value) -> Result<Option<Self>> {
        let field = || text_of(body, kind, "field").map(Name::of);
        let kind = match kind {
            "avg" => Kind::One("avg", field()?),
            "sum" => Kind::One("sum", field()?),
            "min" => Kind::One("min", field()?),
            "max" => Kind::One("max", field()?),
            "value_count" => Kind::One("count", field()?),
            "cardinality" => Kind::One("count_uniq", field()?),
            "percentiles" => Kind::Percentiles(field()?, percents(body)?),
            "stats" => Kind::Stats(field()?),
            "extended_stats" => {
                let sigma = body.get("sigma").map(scalar).and_then(|text| text.parse().ok());
                Kind::ExtendedStats(field()?, sigma.unwrap_or(SIGMA))
            }
            "top_metrics" => top(body)?,
            _ => return Ok(None),
        };
        Ok(Some(Self { name: name.to_owned(), kind }))
    }

    /// The functions of `stats` that it is made of.
    pub fn functions(&self) -> Vec<String> {
        let of = |names: &[&str], field: &Name| -> Vec<String> {
            names.iter().map(|name| format!("{name}({})", field.text())).collect()
        };
        match &self.kind {
            Kind::One(function, field) => of(&[function], field),
            Kind::Percentiles(field, percents) => percents
                .iter()
                .map(|percent| format!("quantile({}, {})", percent / 100.0, field.text()))
                .collect(),
            Kind::Stats(field) => of(&["count", "min", "max", "avg", "sum"], field),
            Kind::ExtendedStats(field, _) => {
                of(&["count", "min", "max", "avg", "sum", "stddev"], field)
            }
            Kind::Top(fields, newest) => {
                let function = if *newest { "last" } else { "first" };
                fields.iter().map(|name| format!("{function}({})", Name::of(name).text())).collect()
            }
        }
    }

    /// Its answer, from the cells of its functions.
    pub fn answer(&self, cells: &[Value]) -> Value {
        let cell = |at: usize| cells.get(at).map(number).unwrap_or_default();
        match &self.kind {
            Kind::One(..) => {
                let mut answer = json!({ "value": cell(0) });
                if let Some(text) = cells.first().and_then(Value::as_str)
                    && answer["value"].is_number()
                {
                    answer["value_as_string"] = json!(text);
                }
                answer
            }
            Kind::Percentiles(_, percents) => {
                let named = percents.iter().enumerate();
                let values: Map<_, _> =
                    named.map(|(at, percent)| (format!("{percent:?}"), cell(at))).collect();
                json!({ "values": values })
            }
            Kind::Stats(_) => stats(&cell),
            Kind::ExtendedStats(_, sigma) => extended(&cell, *sigma),
            Kind::Top(fields, _) => {
                let values = fields.iter().zip(cells);
                let values: Map<_, _> =
                    values.map(|(name, cell)| (name.clone(), number_or_text(cell))).collect();
                json!({ "top": [{ "sort": [], "metrics": values }] })
            }
        }
    }

    /// The number that buckets are sorted by; `part` is what stands behind the name: a percent, or a name.
    pub fn sorts_by(&self, cells: &[Value], part: &str) -> Option<f64> {
        let answer = self.answer(cells);
        let found = match (&self.kind, part) {
            (Kind::Percentiles(..), percent) => {
                let percent: f64 = percent.parse().ok()?;
                answer["values"].get(format!("{percent:?}"))
            }
            (_, "") => answer.get("value"),
            (_, part) => answer.get(part),
        };
        found.and_then(Value::as_f64)
    }
}

fn percents(body: &Value) -> Result<Vec<f64>> {
    let given = listed(body.get("percents"));
    if given.is_empty() {
        return Ok(PERCENTS.to_vec());
    }
    let read = given.into_iter().map(|value| {
        let percent = scalar(value).parse::<f64>().ok().filter(|p| (0.0..=100.0).contains(p));
        percent.ok_or_else(|| malformed("percentiles", &format!("{value} is no percent")))
    });
    let read: Vec<_> = read.collect::<Result<_>>()?;
    match read.len() {
        0..=PERCENTS_MAX => Ok(read),
        count => {
            Err(malformed("percentiles", &format!("{count} percents, at most {PERCENTS_MAX}")))
        }
    }
}

fn top(body: &Value) -> Result<Kind> {
    let metrics = listed(body.get("metrics")).into_iter();
    let fields = metrics.map(|metric| text_of(metric, "top_metrics", "field").map(str::to_owned));
    let fields: Vec<_> = fields.collect::<Result<_>>()?;
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(malformed("top_metrics", &format!("1 to {FIELDS_MAX} metrics were expected")));
    }
    let sort = listed(body.get("sort")).first().copied().and_then(Value::as_object);
    let newest = match sort.and_then(|sort| sort.iter().next()) {
        Some((name, order)) if Name::of(name) == Name::Time => {
            order.as_str().or(order.get("order").and_then(Value::as_str)) != Some("asc")
        }
        _ => {
            let detail = "top_metrics: sort is not supported but by @timestamp";
            return Err(ElasticError::unsupported(detail));
        }
    };
    Ok(Kind::Top(fields, newest))
}

fn stats(cell: &dyn Fn(usize) -> Value) -> Value {
    json!({ "count": cell(0), "min": cell(1), "max": cell(2), "avg": cell(3), "sum": cell(4) })
}

fn extended(cell: &dyn Fn(usize) -> Value, sigma: f64) -> Value {
    let mut answer = stats(cell);
    let count = cell(0).as_f64().unwrap_or_default();
    let (Some(mean), true) = (cell(3).as_f64(), count > 0.0) else { return answer };
    // `stddev` is that of a sample.
    let sample = cell(5).as_f64().unwrap_or_default();
    let sampled = sample * sample;
    let variance = sampled * (count - 1.0) / count;
    let deviation = variance.sqrt();
    answer["sum_of_squares"] = json!(count * (variance + mean * mean));
    answer["variance"] = json!(variance);
    answer["variance_population"] = json!(variance);
    answer["variance_sampling"] = json!(sampled);
    answer["std_deviation"] = json!(deviation);
    answer["std_deviation_population"] = json!(deviation);
    answer["std_deviation_sampling"] = json!(sample);
    answer["std_deviation_bounds"] =
        json!({ "upper": mean + sigma * deviation, "lower": mean - sigma * deviation });
    answer
}

// A number; times are milliseconds, as Elasticsearch counts them.
fn number(cell: &Value) -> Value {
    match cell {
        Value::Number(_) => cell.clone(),
        Value::String(text) => match parse_rfc3339(text) {
            Ok(time_ns) => json!(time_ns.div_euclid(MILLI_NS)),
            Err(_) => text.parse::<f64>().map_or(Value::Null, |number| json!(number)),
        },
        _ => Value::Null,
    }
}

fn number_or_text(cell: &Value) -> Value {
    match number(cell) {
        Value::Null => cell.clone(),
        number => number,
    }
}

/// Reads the members of an aggregation that are no aggregations in it.
pub fn kind_of<'v>(name: &str, body: &'v Value) -> Result<(&'v str, &'v Value)> {
    let object = object(body, name)?;
    let mut kinds =
        object.iter().filter(|(key, _)| !matches!(key.as_str(), "aggs" | "aggregations" | "meta"));
    match (kinds.next(), kinds.next()) {
        (Some((kind, body)), None) => Ok((kind, body)),
        _ => Err(malformed(name, "one kind of aggregation was expected")),
    }
}
