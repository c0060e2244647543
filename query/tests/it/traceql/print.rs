//! Queries as text, with every operand in parentheses that could need them.

use throughline_query::traceql::ast::{
    Aggregate, Field, FieldExpr, FieldExprKind, Intrinsic, KINDS, MetricsExpr, MetricsFunction,
    Pipeline, Query, Root, STATUSES, ScalarExpr, Scope, SecondStage, SpansetExpr, Stage, Static,
};

/// A whole query.
pub fn query(query: &Query) -> String {
    let text = match &query.root {
        Root::Search(pipeline) => self::pipeline(pipeline),
        Root::Metrics(expr) => metrics(expr),
    };
    let hints = query.hints.iter().map(|hint| format!("{}={}", hint.name, literal(&hint.value)));
    let hints = hints.collect::<Vec<_>>();
    if hints.is_empty() { text } else { format!("{text} with({})", hints.join(", ")) }
}

fn pipeline(pipeline: &Pipeline) -> String {
    pipeline.stages.iter().map(stage).collect::<Vec<_>>().join(" | ")
}

fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Spans(expr) => spansets(expr),
        Stage::Scalar(filter) => {
            format!("{} {} {}", scalar(&filter.left), filter.op.text(), scalar(&filter.right))
        }
        Stage::By(expr) => format!("by({})", field_expr(expr)),
        Stage::Coalesce => "coalesce()".to_owned(),
        Stage::Select(all) => format!("select({})", fields(all)),
    }
}

fn fields(all: &[Field]) -> String {
    all.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn spansets(expr: &SpansetExpr) -> String {
    match expr {
        SpansetExpr::Filter(None) => "{}".to_owned(),
        SpansetExpr::Filter(Some(expr)) => format!("{{ {} }}", field_expr(expr)),
        SpansetExpr::Pipeline(pipeline) => format!("({})", self::pipeline(pipeline)),
        SpansetExpr::Binary { op, negated, union, left, right } => {
            let side = |side: &SpansetExpr| match side {
                SpansetExpr::Binary { .. } => format!("({})", spansets(side)),
                other => spansets(other),
            };
            let prefix = if *negated { "!" } else if *union { "&" } else { "" };
            format!("{} {prefix}{} {}", side(left), op.text(), side(right))
        }
    }
}

fn scalar(expr: &ScalarExpr) -> String {
    let side = |side: &ScalarExpr| match side {
        ScalarExpr::Binary { .. } | ScalarExpr::Negate(_) => format!("({})", scalar(side)),
        other => scalar(other),
    };
    match expr {
        ScalarExpr::Static(value) => literal(value),
        ScalarExpr::Aggregate(aggregate) => self::aggregate(aggregate),
        ScalarExpr::Binary { op, left, right } => {
            format!("{} {} {}", side(left), op.text(), side(right))
        }
        ScalarExpr::Negate(expr) => format!("-{}", side(expr)),
        ScalarExpr::Pipeline { pipeline, scalar } => {
            format!("({} | {})", self::pipeline(pipeline), self::scalar(scalar))
        }
    }
}

/// `avg(duration)`.
pub fn aggregate(aggregate: &Aggregate) -> String {
    let of = aggregate.of.as_ref().map(field_expr).unwrap_or_default();
    format!("{}({of})", aggregate.op.text())
}

/// An expression over one span.
pub fn field_expr(expr: &FieldExpr) -> String {
    let side = |side: &FieldExpr| match &side.kind {
        FieldExprKind::Static(_) | FieldExprKind::Field(_) => field_expr(side),
        _ => format!("({})", field_expr(side)),
    };
    match &expr.kind {
        FieldExprKind::Static(value) => literal(value),
        FieldExprKind::Field(field) => self::field(field),
        FieldExprKind::Negate(expr) => format!("-{}", side(expr)),
        FieldExprKind::Not(expr) => format!("!{}", side(expr)),
        FieldExprKind::Binary { op, left, right } => {
            format!("{} {} {}", side(left), op.text(), side(right))
        }
    }
}

/// A field, as labels and attributes of answers name it.
pub fn field(field: &Field) -> String {
    match field {
        Field::Attribute { scope, parent, name } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            let name = if !name.is_empty() && name.chars().all(plain) {
                name.clone()
            } else {
                format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
            };
            let scope = match scope {
                Scope::Any => "",
                Scope::Span => "span",
                Scope::Resource => "resource",
                Scope::Event => "event",
                Scope::Link => "link",
                Scope::Instrumentation => "instrumentation",
            };
            match (parent, scope) {
                (true, "") => format!("parent.{name}"),
                (true, scope) => format!("parent.{scope}.{name}"),
                (false, scope) => format!("{scope}.{name}"),
            }
        }
        Field::Intrinsic { which, parent: false } => short(*which).to_owned(),
        Field::Intrinsic { which, parent: true } => format!("parent.{}", scoped(*which)),
    }
}

fn short(which: Intrinsic) -> &'static str {
    match which {
        Intrinsic::Duration => "duration",
        Intrinsic::Name => "name",
        Intrinsic::Status => "status",
        Intrinsic::StatusMessage => "statusMessage",
        Intrinsic::Kind => "kind",
        Intrinsic::Parent => "parent",
        Intrinsic::RootName => "rootName",
        Intrinsic::RootServiceName => "rootServiceName",
        Intrinsic::TraceDuration => "traceDuration",
        Intrinsic::NestedSetLeft => "nestedSetLeft",
        Intrinsic::NestedSetRight => "nestedSetRight",
        Intrinsic::NestedSetParent => "nestedSetParent",
        other => scoped(other),
    }
}

fn scoped(which: Intrinsic) -> &'static str {
    match which {
        Intrinsic::Duration => "span:duration",
        Intrinsic::Name => "span:name",
        Intrinsic::Status => "span:status",
        Intrinsic::StatusMessage => "span:statusMessage",
        Intrinsic::Kind => "span:kind",
        Intrinsic::RootName => "trace:rootName",
        Intrinsic::RootServiceName => "trace:rootService",
        Intrinsic::TraceDuration => "trace:duration",
        Intrinsic::TraceId => "trace:id",
        Intrinsic::SpanId => "span:id",
        Intrinsic::ParentId => "span:parentID",
        Intrinsic::ChildCount => "span:childCount",
        Intrinsic::EventName => "event:name",
        Intrinsic::EventTimeSinceStart => "event:timeSinceStart",
        Intrinsic::LinkTraceId => "link:traceID",
        Intrinsic::LinkSpanId => "link:spanID",
        Intrinsic::InstrumentationName => "instrumentation:name",
        Intrinsic::InstrumentationVersion => "instrumentation:version",
        other => short(other),
    }
}

fn literal(value: &Static) -> String {
    let named = |names: &[&str], number: i32| names[number as usize].to_owned();
    match value {
        Static::Nil => "nil".to_owned(),
        Static::String(text) => format!("{text:?}"),
        Static::Int(number) => number.to_string(),
        Static::Float(number) => format!("{number:?}"),
        Static::Bool(flag) => flag.to_string(),
        Static::Duration(ns) if ns % 1_000_000 == 0 => format!("{}ms", ns / 1_000_000),
        Static::Duration(ns) => format!("{ns}ns"),
        Static::Status(code) => named(&STATUSES, *code),
        Static::Kind(kind) => named(&KINDS, *kind),
    }
}

fn metrics(expr: &MetricsExpr) -> String {
    let side = |side: &MetricsExpr| match side {
        MetricsExpr::Scalar(_) => metrics(side),
        _ => format!("({})", metrics(side)),
    };
    match expr {
        MetricsExpr::Query(query) => {
            let by = if query.by.is_empty() {
                String::new()
            } else {
                format!(" by({})", fields(&query.by))
            };
            format!("{} | {}{by}", pipeline(&query.pipeline), function(&query.function))
        }
        MetricsExpr::Scalar(number) => format!("{number:?}"),
        MetricsExpr::Binary { op, left, right } => {
            format!("{} {} {}", side(left), op.text(), side(right))
        }
        MetricsExpr::Negate(expr) => format!("-{}", side(expr)),
        MetricsExpr::Staged { input, stages } => {
            let input = match &**input {
                MetricsExpr::Query(_) => metrics(input),
                other => format!("({})", metrics(other)),
            };
            let stages = stages.iter().map(|stage| match stage {
                SecondStage::TopK(count) => format!(" | topk({count})"),
                SecondStage::BottomK(count) => format!(" | bottomk({count})"),
                SecondStage::Filter(op, limit) => format!(" | {} {limit:?}", op.text()),
            });
            format!("{input}{}", stages.collect::<String>())
        }
    }
}

fn function(function: &MetricsFunction) -> String {
    match function {
        MetricsFunction::Rate => "rate()".to_owned(),
        MetricsFunction::CountOverTime => "count_over_time()".to_owned(),
        MetricsFunction::MinOverTime(of) => format!("min_over_time({})", field(of)),
        MetricsFunction::MaxOverTime(of) => format!("max_over_time({})", field(of)),
        MetricsFunction::AvgOverTime(of) => format!("avg_over_time({})", field(of)),
        MetricsFunction::SumOverTime(of) => format!("sum_over_time({})", field(of)),
        MetricsFunction::QuantileOverTime(of, quantiles) => {
            let quantiles = quantiles.iter().map(|q| format!(", {q:?}")).collect::<String>();
            format!("quantile_over_time({}{quantiles})", field(of))
        }
        MetricsFunction::HistogramOverTime(of) => format!("histogram_over_time({})", field(of)),
        MetricsFunction::Compare { selection, top, start_ns, end_ns } => {
            let range = match (start_ns, end_ns) {
                (Some(start), Some(end)) => format!(", {start}, {end}"),
                _ => String::new(),
            };
            format!("compare({}, {top}{range})", spansets(selection))
        }
    }
}
