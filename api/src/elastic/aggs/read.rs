//! The tree that a request asks for.

use serde_json::Value;

use super::super::condition::Condition;
use super::super::dates::{interval_ns, moment};
use super::super::dsl::{self, is_utc, listed, malformed, object, scalar, text_of};
use super::super::error::{ElasticError, Result};
use super::super::names::Name;
use super::metric::{Metric, kind_of};
use super::{Kind, Level, Node, Steps, Terms};
use throughline_model::time::{MINUTE_NS, TimeRange};

/// Buckets in buckets at most.
const DEPTH_MAX: usize = 8;
/// Aggregations of a request at most: each kind of bucket is a question of its own.
const NODES_MAX: usize = 32;
/// Filters of one aggregation at most.
const FILTERS_MAX: usize = 50;
const SIZE_DEFAULT: usize = 10;
/// Every time zone is a whole number of these from UTC.
const ZONES_NS: i64 = 15 * MINUTE_NS;

/// Reads the aggregations of a request.
pub fn read(aggs: Option<&Value>, now_ns: i64) -> Result<Level> {
    let mut reader = Reader { now_ns, nodes: 0 };
    reader.level(aggs, 0)
}

struct Reader {
    now_ns: i64,
    nodes: usize,
}

impl Reader {
    fn level(&mut self, aggs: Option<&Value>, depth: usize) -> Result<Level> {
        let mut level = Level::default();
        let Some(aggs) = aggs.filter(|aggs| !aggs.is_null()) else { return Ok(level) };
        for (name, body) in object(aggs, "aggs")? {
            self.nodes += 1;
            if depth > DEPTH_MAX || self.nodes > NODES_MAX {
                let detail = format!(
                    "aggs: at most {NODES_MAX} aggregations, nested at most {DEPTH_MAX} deep"
                );
                return Err(ElasticError::invalid("aggs", name, detail));
            }
            let (kind, own) = kind_of(name, body)?;
            if let Some(metric) = Metric::read(name, kind, own)? {
                level.metrics.push(metric);
                continue;
            }
            let kind = self.kind(name, kind, own)?;
            let inner = self.level(body.get("aggs").or(body.get("aggregations")), depth + 1)?;
            level.nodes.push(Node { name: name.clone(), kind, inner });
        }
        Ok(level)
    }

    fn kind(&self, name: &str, kind: &str, body: &Value) -> Result<Kind> {
        if body.get("keyed").and_then(Value::as_bool) == Some(true) {
            return Err(ElasticError::unsupported(format!(
                "[{kind}] [{name}]: keyed is not supported"
            )));
        }
        Ok(match kind {
            "terms" => Kind::Terms(terms(body)?),
            "date_histogram" => Kind::Times(self.steps(body)?),
            "histogram" => {
                let size =
                    body.get("interval").map(scalar).and_then(|text| text.parse::<f64>().ok());
                let size = size.filter(|size| *size > 0.0 && size.is_finite());
                let field = Name::of(text_of(body, kind, "field")?);
                match size {
                    Some(size) => Kind::Numbers { field, size, count_min: count(body, 0)? },
                    None => return Err(malformed(kind, "[interval] is no number above 0")),
                }
            }
            "filters" => {
                let filters = object(body.get("filters").unwrap_or(&Value::Null), kind)?;
                if filters.len() > FILTERS_MAX {
                    let why = format!("{} filters, at most {FILTERS_MAX}", filters.len());
                    return Err(malformed(kind, &why));
                }
                let filters = filters.iter();
                let one =
                    |(name, query): (&String, &Value)| Ok((name.clone(), self.filter(query)?));
                Kind::Filters(filters.map(one).collect::<Result<_>>()?)
            }
            "filter" => Kind::Filter(self.filter(body)?),
            "missing" => {
                let field = Name::of(text_of(body, kind, "field")?);
                Kind::Filter(Condition::exists(&field).negated())
            }
            other => {
                return Err(ElasticError::unsupported(format!(
                    "aggregation [{other}] of [{name}] is none of avg, cardinality, date_histogram, \
                     extended_stats, filter, filters, histogram, max, min, missing, percentiles, stats, sum, \
                     terms, top_metrics, value_count"
                )));
            }
        })
    }

    // A range of time in a filter of a bucket is a condition like others.
    fn filter(&self, query: &Value) -> Result<Condition> {
        let asked = dsl::read(Some(query), self.now_ns)?;
        let TimeRange { start_ns, end_ns } = asked.time;
        let mut all = vec![asked.condition];
        if start_ns != TimeRange::ALL.start_ns {
            all.push(super::super::lucene::between(">=", start_ns));
        }
        if end_ns != TimeRange::ALL.end_ns {
            all.push(super::super::lucene::between("<", end_ns));
        }
        Ok(Condition::all(all))
    }

    fn steps(&self, body: &Value) -> Result<Steps> {
        let kind = "date_histogram";
        let field = text_of(body, kind, "field")?;
        if Name::of(field) != Name::Time {
            let detail = format!("date_histogram: [{field}] is not the time of the record");
            return Err(ElasticError::unsupported(detail));
        }
        let names = ["fixed_interval", "calendar_interval", "interval"];
        let given = names.into_iter().find_map(|name| Some((name, body.get(name)?)));
        let Some((name, interval)) = given else {
            return Err(malformed(kind, "[fixed_interval] is missing"));
        };
        let step_ns = interval_ns(name, &scalar(interval))?;
        let zone = body.get("time_zone").and_then(Value::as_str).unwrap_or("UTC");
        if !is_utc(zone) && ZONES_NS % step_ns != 0 {
            let detail = format!(
                "date_histogram: time_zone [{zone}] is not supported for steps that do not divide 15 minutes"
            );
            return Err(ElasticError::unsupported(detail));
        }
        if body.get("offset").is_some_and(|offset| {
            !matches!(scalar(offset).as_str(), "" | "0" | "0s" | "0ms" | "+0s")
        }) {
            return Err(ElasticError::unsupported("date_histogram: [offset] is not supported"));
        }
        let format = body.get("format").and_then(Value::as_str).unwrap_or_default();
        let bounds = |name: &str| -> Result<Option<(i64, i64)>> {
            let Some(bounds) = body.get(name) else { return Ok(None) };
            let at = |side: &str| -> Result<i64> {
                let value = bounds.get(side).map(scalar).unwrap_or_default();
                Ok(moment(side, &value, format, self.now_ns)?.start_ns)
            };
            Ok(Some((at("min")?, at("max")?)))
        };
        Ok(Steps {
            step_ns,
            count_min: count(body, 0)?,
            at_least: bounds("extended_bounds")?,
            at_most: bounds("hard_bounds")?,
            in_millis: format == "epoch_millis",
        })
    }
}

fn terms(body: &Value) -> Result<Terms> {
    let mut order = Vec::new();
    for key in listed(body.get("order")) {
        for (name, how) in object(key, "order")? {
            let is_desc = match how.as_str() {
                Some("desc") => true,
                Some("asc") => false,
                _ => return Err(malformed("order", &format!("[{name}] is none of asc, desc"))),
            };
            let name = if name == "_term" { "_key" } else { name };
            order.push((name.to_owned(), is_desc));
        }
    }
    let size = match body.get("size") {
        None => SIZE_DEFAULT,
        // In Grafana 0 means all.
        Some(size) => match scalar(size).parse::<usize>() {
            Ok(0) => usize::MAX,
            Ok(size) => size,
            Err(_) => return Err(malformed("terms", &format!("[size] {size} is no number"))),
        },
    };
    Ok(Terms {
        field: Name::of(text_of(body, "terms", "field")?),
        size,
        count_min: count(body, 1)?,
        order,
        missing: body.get("missing").filter(|missing| !missing.is_null()).cloned(),
    })
}

fn count(body: &Value, default: u64) -> Result<u64> {
    match body.get("min_doc_count") {
        None => Ok(default),
        Some(value) => scalar(value)
            .parse()
            .map_err(|_| malformed("min_doc_count", &format!("{value} is no number"))),
    }
}
