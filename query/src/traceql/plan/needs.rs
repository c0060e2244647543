//! Which columns a query reads, and whether it needs whole traces.

use throughline_model::predicate::Target;
use throughline_model::schema::col;
use throughline_storage::scan::ScanColumn;

use super::{each_expr, fixed};
use crate::traceql::ast::{
    Field, FieldExprKind, Intrinsic, Pipeline, ScalarExpr, Scope, SpansetExpr, SpansetOp, Stage,
};

/// What a scan must bring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    columns: Vec<ScanColumn>,
    /// Whether spans that match nothing matter too.
    pub whole: bool,
    /// Whether parents matter.
    pub structure: bool,
    /// Whether ids of traces matter.
    pub named: bool,
}

impl Needs {
    /// The columns, each once.
    pub fn columns(&self) -> &[ScanColumn] {
        &self.columns
    }

    /// Adds a fixed column.
    pub fn column(&mut self, name: &str) {
        self.add(fixed(name));
    }

    fn add(&mut self, column: ScanColumn) {
        if !self.columns.contains(&column) {
            self.columns.push(column);
        }
    }

    /// Adds everything that a pipeline needs to be evaluated.
    pub fn pipeline(&mut self, pipeline: &Pipeline) {
        let visited = each_expr(pipeline, &mut |expr| {
            if let FieldExprKind::Field(field) = &expr.kind {
                self.field(field);
            }
            Ok(())
        });
        debug_assert!(visited.is_ok(), "visiting fails only where the visitor does");
        self.stages(pipeline);
    }

    fn stages(&mut self, pipeline: &Pipeline) {
        for stage in &pipeline.stages {
            match stage {
                Stage::Spans(expr) => self.spansets(expr),
                Stage::Scalar(filter) => {
                    self.sums_by_start(&filter.left);
                    self.sums_by_start(&filter.right);
                }
                // Groups come in the order of their first spans.
                Stage::By(_) => self.order(),
                Stage::Coalesce | Stage::Select(_) => {}
            }
        }
    }

    fn spansets(&mut self, expr: &SpansetExpr) {
        match expr {
            SpansetExpr::Filter(_) => {}
            SpansetExpr::Binary { op, left, right, .. } => {
                if !matches!(op, SpansetOp::And | SpansetOp::Or) {
                    self.relate();
                }
                self.spansets(left);
                self.spansets(right);
            }
            SpansetExpr::Pipeline(pipeline) => self.stages(pipeline),
        }
    }

    // Sums of doubles depend on their order.
    fn sums_by_start(&mut self, scalar: &ScalarExpr) {
        match scalar {
            ScalarExpr::Static(_) => {}
            ScalarExpr::Aggregate(_) => self.order(),
            ScalarExpr::Binary { left, right, .. } => {
                self.sums_by_start(left);
                self.sums_by_start(right);
            }
            ScalarExpr::Negate(inner) => self.sums_by_start(inner),
            ScalarExpr::Pipeline { pipeline, scalar } => {
                // It starts from all spans of the trace, whatever the stage before left.
                self.whole = true;
                self.stages(pipeline);
                self.sums_by_start(scalar);
            }
        }
    }

    /// Adds what the order of spans takes.
    pub fn order(&mut self) {
        self.column(col::START_TIME);
        self.column(col::SPAN_ID);
    }

    fn relate(&mut self) {
        self.whole = true;
        self.structure = true;
    }

    /// Adds what a field takes.
    pub fn field(&mut self, field: &Field) {
        match field {
            Field::Attribute { scope, parent, .. } => {
                if *parent {
                    self.relate();
                    self.order();
                }
                match scope {
                    Scope::Event => self.column(col::EVENTS),
                    Scope::Link => self.column(col::LINKS),
                    _ => {
                        if let Some(column) = scan_column(field) {
                            self.add(column);
                        }
                    }
                }
            }
            Field::Intrinsic { which, parent } => {
                if *parent {
                    self.relate();
                    self.order();
                }
                self.intrinsic(*which);
            }
        }
    }

    fn intrinsic(&mut self, which: Intrinsic) {
        match which {
            Intrinsic::Duration => self.column(col::DURATION_NS),
            Intrinsic::Name => self.column(col::NAME),
            Intrinsic::Status => self.column(col::STATUS_CODE),
            Intrinsic::StatusMessage => self.column(col::STATUS_MESSAGE),
            Intrinsic::Kind => self.column(col::KIND),
            Intrinsic::Parent => self.structure = true,
            Intrinsic::RootName | Intrinsic::RootServiceName => {
                self.relate();
                self.order();
                let root = which == Intrinsic::RootName;
                self.column(if root { col::NAME } else { col::SERVICE_NAME });
            }
            Intrinsic::TraceDuration => {
                self.whole = true;
                self.column(col::START_TIME);
                self.column(col::DURATION_NS);
            }
            Intrinsic::TraceId => self.named = true,
            Intrinsic::SpanId => self.column(col::SPAN_ID),
            Intrinsic::ParentId => self.column(col::PARENT_SPAN_ID),
            Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent => {
                self.relate();
                self.order();
            }
            Intrinsic::EventName => self.column(col::EVENTS),
            Intrinsic::EventTimeSinceStart => {
                self.column(col::EVENTS);
                self.column(col::START_TIME);
            }
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => self.column(col::LINKS),
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => {
                self.column(col::SCOPE);
            }
        }
    }
}

/// The column of an attribute that has one of its own: not of those of events and links.
pub(crate) fn scan_column(field: &Field) -> Option<ScanColumn> {
    let Field::Attribute { scope, name, .. } = field else { return None };
    let target = match scope {
        Scope::Any => Target::AnyAttribute(name.clone()),
        Scope::Span => Target::Attribute(name.clone()),
        Scope::Resource => Target::ResourceAttribute(name.clone()),
        Scope::Instrumentation => Target::ScopeAttribute(name.clone()),
        Scope::Event | Scope::Link => return None,
    };
    Some(ScanColumn::Attribute(target))
}

/// Calls `visit` with every field of `select`.
pub(super) fn each_selected(pipeline: &Pipeline, visit: &mut dyn FnMut(&Field)) {
    for stage in &pipeline.stages {
        match stage {
            Stage::Select(fields) => fields.iter().for_each(&mut *visit),
            Stage::Spans(expr) => each_selected_within(expr, visit),
            _ => {}
        }
    }
}

fn each_selected_within(expr: &SpansetExpr, visit: &mut dyn FnMut(&Field)) {
    match expr {
        SpansetExpr::Filter(_) => {}
        SpansetExpr::Binary { left, right, .. } => {
            each_selected_within(left, visit);
            each_selected_within(right, visit);
        }
        SpansetExpr::Pipeline(pipeline) => each_selected(pipeline, visit),
    }
}
