//! Pipes that look at records beside those that they get: `stream_context`, `trace`, `patterns`, `diff`.

use super::super::ast::{Diff, FieldName, Pipe, PipeKind, Place, TimeSpan};
use super::super::error::{Error, Result};
use super::super::grammar::{TOP_DEFAULT, ValueKind};
use super::super::units::{self, Period, SECOND_NS, timestamp};
use super::filter::{Rank, Sql};
use super::scope::{Scope, Value};
use super::select::{Projection, Select};
use super::stats::{HITS, Made, count, key};
use super::text::ident;
use super::{Bounds, Lowering, by_time};

/// What makes records those of one stream, where they have it.
const STREAM_KEYS: &[&str] = &[
    "service_name",
    "resource_attributes['service.instance.id']",
    "resource_attributes['k8s.pod.name']",
    "resource_attributes['host.name']",
    "attributes['log.file.path']",
];
/// The column that says whether a hit is near.
const NEAR: &str = "near_hit";
/// How far the records of a trace may lie outside of the range asked for.
const TRACE_SLACK_NS: i64 = 3600 * SECOND_NS;

/// The windows of a `diff`, if the pipe is one.
pub(super) fn windows(pipe: &Pipe) -> Option<(&Diff, Place)> {
    match &pipe.kind {
        PipeKind::Diff(diff) => Some((diff, pipe.place)),
        _ => None,
    }
}

/// The two windows: before, and after.
pub(super) fn spans(diff: &Diff, place: Place, bounds: &Bounds) -> Result<[Period; 2]> {
    match diff {
        Diff::Window(length) => {
            let middle = bounds.end_ns.checked_sub(*length);
            let start = middle.and_then(|middle| middle.checked_sub(*length));
            let (Some(middle), Some(start)) = (middle, start) else {
                return Err(Error::new(place, "the window is longer than there is time"));
            };
            let before = Period { start_ns: start, end_ns: middle };
            Ok([before, Period { start_ns: middle, end_ns: bounds.end_ns }])
        }
        Diff::Ranges(before, after) => Ok([span(before, bounds)?, span(after, bounds)?]),
    }
}

fn span(span: &TimeSpan, bounds: &Bounds) -> Result<Period> {
    let time = |text: &str| {
        units::period(text, bounds.now_ns).ok_or_else(|| {
            let message = format!("a time such as 2026-11-20T12:00Z or now-1h, found '{text}'");
            Error::new(span.place, message)
        })
    };
    let period = Period {
        start_ns: time(&span.start.text)?.start_ns,
        end_ns: time(&span.end.text)?.start_ns,
    };
    if period.start_ns >= period.end_ns {
        return Err(Error::new(span.place, "the window ends before it starts"));
    }
    Ok(period)
}

/// The range that holds both windows.
pub(super) fn hull(spans: &[Period; 2]) -> (i64, i64) {
    let [before, after] = spans;
    (before.start_ns.min(after.start_ns), before.end_ns.max(after.end_ns))
}

impl Lowering<'_> {
    pub(super) fn context(&mut self, before: u64, after: u64, place: Place) -> Result<()> {
        let is_first = self.steps.is_empty() && self.behind.is_none() && !self.select.is_limited();
        let is_plain = is_first && self.scope.unpacked.is_empty();
        if !is_plain {
            let message =
                "stream_context stands behind the filter and 'where' alone, before other pipes";
            return Err(Error::new(place, message));
        }
        let conditions = std::mem::take(&mut self.select.conditions);
        let hit = match conditions.is_empty() {
            true => "true".to_owned(),
            false => conditions.join(" AND "),
        };
        let near = format!(
            "max(CASE WHEN {hit} THEN 1 ELSE 0 END) OVER (\n    PARTITION BY {}\n    \
             ORDER BY \"time\" ROWS BETWEEN {after} PRECEDING AND {before} FOLLOWING\n  )",
            STREAM_KEYS.join(", ")
        );
        self.select.projection =
            Projection::All { except: Vec::new(), added: vec![(near, NEAR.to_owned())] };
        self.close()?;
        self.select.conditions.push(format!("{} = 1", ident(NEAR)));
        self.select.projection =
            Projection::All { except: vec![NEAR.to_owned()], added: Vec::new() };
        Ok(())
    }

    pub(super) fn trace(&mut self, place: Place) -> Result<()> {
        self.flat()?;
        let id = self.scope.resolve(&FieldName { text: "trace_id".to_owned(), place })?;
        self.select.projection = Projection::List(vec![(id.sql.clone(), "trace_id".to_owned())]);
        self.select.conditions.push(format!("{} IS NOT NULL", id.sql));
        self.close()?;
        let found = std::mem::replace(&mut self.select, Select::from("logs")).from;
        let start_ns = self.bounds.start_ns.saturating_sub(TRACE_SLACK_NS);
        let end_ns = self.bounds.end_ns.saturating_add(TRACE_SLACK_NS);
        self.select.range = vec![
            format!("\"time\" >= {}", timestamp(start_ns)),
            format!("\"time\" < {}", timestamp(end_ns)),
        ];
        let ids = format!("trace_id IN (SELECT trace_id FROM {found})");
        self.select.conditions.push(ids);
        self.scope = Scope::records();
        self.order = vec![by_time(self.bounds.newest_first)];
        self.is_rows = true;
        self.step_ns = None;
        Ok(())
    }

    // The two columns of a pattern, and when it was seen.
    fn pattern_columns(&self, place: Place) -> Result<[(&'static str, Value); 4]> {
        let field = |name: &str| self.scope.resolve(&FieldName { text: name.to_owned(), place });
        let time = field("time")?;
        let seen =
            |function: &str| Value::made(format!("{function}({})", time.sql), ValueKind::Time);
        Ok([
            ("template_id", field("template_id")?),
            ("template", field("template")?),
            ("first_seen", seen("min")),
            ("last_seen", seen("max")),
        ])
    }

    pub(super) fn patterns(&mut self, rows: Option<u64>, place: Place) -> Result<()> {
        self.flat()?;
        let [id, template, first, last] = self.pattern_columns(place)?;
        let mut made = Made::default();
        for (name, value) in [id, template, (HITS, count()), first, last] {
            made.push(name.to_owned(), value, place)?;
        }
        self.grouped(made, 2, vec![key(HITS, true), key("template_id", false)]);
        self.select.limit_to(rows.unwrap_or(TOP_DEFAULT));
        Ok(())
    }

    pub(super) fn diff(&mut self, diff: &Diff, place: Place) -> Result<()> {
        self.flat()?;
        let spans = spans(diff, place, self.bounds)?;
        let [id, template, first, last] = self.pattern_columns(place)?;
        let time = self.scope.resolve(&FieldName { text: "time".to_owned(), place })?.sql;
        let within = |span: Period| {
            let (start, end) = (timestamp(span.start_ns), timestamp(span.end_ns));
            format!("{time} >= {start} AND {time} < {end}")
        };
        let hits = spans.map(|span| format!("count(*) FILTER (WHERE {})", within(span)));
        let [before, after] = &hits;
        let change = format!("CASE WHEN {before} = 0 THEN 'new' ELSE 'vanished' END");
        let number = |sql: &String| Value { sql: sql.clone(), ..count() };
        let mut made = Made::default();
        let change =
            Value { nullable: false, is_fixed: true, ..Value::made(change, ValueKind::Text) };
        let counts = [("hits_before", number(before)), (HITS, number(after))];
        let [counted_before, counted_after] = counts;
        for (name, value) in
            [id, template, ("change", change), counted_before, counted_after, first, last]
        {
            made.push(name.to_owned(), value, place)?;
        }
        let [before_span, after_span] = spans;
        if before_span.end_ns != after_span.start_ns {
            // What lies between the windows belongs to neither.
            let either = [before_span, after_span].map(|span| Sql::new(within(span), Rank::And));
            self.select.conditions.push(Sql::any(either.into()).inside(Rank::And));
        }
        // A pattern that both windows have is no difference.
        self.select.having = Some(format!("{before} = 0\n  OR {after} = 0"));
        let order = vec![key("change", false), key(HITS, true), key("hits_before", true)];
        self.grouped(made, 2, order);
        self.order.push(key("template_id", false));
        Ok(())
    }
}
