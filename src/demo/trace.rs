//! What one simulated request leaves behind, before it is said in any protocol.

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// Text.
    Text(String),
    /// Integer.
    Int(i64),
    /// Double.
    Float(f64),
    /// Boolean.
    Bool(bool),
    /// Array of text.
    Texts(Vec<String>),
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Text(text.to_owned())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Text(text)
    }
}

impl From<i64> for Val {
    fn from(number: i64) -> Val {
        Val::Int(number)
    }
}

impl From<f64> for Val {
    fn from(number: f64) -> Val {
        Val::Float(number)
    }
}

impl From<bool> for Val {
    fn from(truth: bool) -> Val {
        Val::Bool(truth)
    }
}

/// Attributes in the order in which they were set.
pub type Attributes = Vec<(&'static str, Val)>;

/// `Span.SpanKind`, with its number in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside a service.
    Internal = 1,
    /// Answers a caller.
    Server = 2,
    /// Calls another service.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Processes a message.
    Consumer = 5,
}

/// A pod of a service: index into `shop::SERVICES`, and which of its replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pod {
    /// Index of the service.
    pub service: usize,
    /// Number of the replica.
    pub replica: usize,
}

/// A point in time inside a span.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub time_ns: i64,
    /// What.
    pub name: &'static str,
    /// Details.
    pub attributes: Attributes,
}

/// The identity of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanRef {
    /// Trace.
    pub trace_id: u128,
    /// Span.
    pub span_id: u64,
}

/// A span.
#[derive(Clone, Debug)]
pub struct Span {
    /// Identity.
    pub id: SpanRef,
    /// The parent's span id.
    pub parent: Option<u64>,
    /// Who made it.
    pub pod: Pod,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Start.
    pub start_ns: i64,
    /// End.
    pub end_ns: i64,
    /// Attributes.
    pub attributes: Attributes,
    /// Events.
    pub events: Vec<Event>,
    /// Links.
    pub links: Vec<SpanRef>,
    /// Status message, if the status is an error.
    pub error: Option<String>,
}

/// A log record.
#[derive(Clone, Debug)]
pub struct Log {
    /// When.
    pub time_ns: i64,
    /// Who wrote it.
    pub pod: Pod,
    /// `severityNumber`.
    pub severity: i32,
    /// The body.
    pub text: String,
    /// The span it was written in.
    pub span: Option<SpanRef>,
    /// Attributes.
    pub attributes: Attributes,
}

/// All of one request.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Spans, parents before children.
    pub spans: Vec<Span>,
    /// Log records.
    pub logs: Vec<Log>,
}
