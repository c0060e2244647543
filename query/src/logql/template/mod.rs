//! Templates of `line_format` and `label_format`: the part of Go's text templates that Loki documents.
//!
//! Actions stand in `{{…}}`: `.label`, `$variable`, pipelines, `if`, `with`, `range`, and functions
//! ([`functions`]). A label that is missing is the empty text. The present time is the caller's.

mod format;
mod functions;
mod lex;
mod parse;
mod time;
mod value;

use super::error::{Error, Result};
use super::pipeline::Row;
use parse::{Expr, Node};
use value::Value;

/// Bytes of a line or label that a template makes at most.
pub(super) const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Rounds of all loops of one template for one line at most.
const ROUNDS_MAX: usize = 10_000;
/// Variables that are alive at once at most.
const VARIABLES_MAX: usize = 256;

/// A template that is ready to be filled in.
pub struct Template {
    nodes: Vec<Node>,
}

/// What a template is filled in with.
pub struct Context<'r> {
    /// The labels.
    pub row: &'r Row,
    /// The line.
    pub line: &'r str,
    /// Its time.
    pub time_ns: i64,
    /// The present.
    pub now_ns: i64,
}

impl Template {
    /// Prepares a template, whose text stands at this byte of the query.
    pub fn new(text: &str, offset: usize) -> Result<Self> {
        let nodes = lex::lex(text).and_then(parse::parse);
        let fail = |message| Error::meaning(offset, format!("template is not valid: {message}"));
        Ok(Self { nodes: nodes.map_err(fail)? })
    }

    /// Appends the text for a line; the message says what could not be worked out.
    pub fn render(
        &self,
        context: &Context<'_>,
        out: &mut String,
    ) -> std::result::Result<(), String> {
        let mut run = Run { context, variables: Vec::new(), dot: Value::Labels, rounds: 0 };
        run.nodes(&self.nodes, out).map(|_| ())
    }

    /// The labels that it looks at; none if it may look at any.
    pub fn labels(&self) -> Option<Vec<String>> {
        let mut labels = Vec::new();
        let is_known = self.nodes.iter().all(|node| node_labels(node, false, &mut labels));
        is_known.then_some(labels)
    }
}

// Whether the labels are known; `is_inner` where the dot may be something else.
fn node_labels(node: &Node, is_inner: bool, labels: &mut Vec<String>) -> bool {
    let all = |nodes: &[Node], is_inner: bool, labels: &mut Vec<String>| {
        nodes.iter().all(|node| node_labels(node, is_inner, labels))
    };
    match node {
        Node::Text(_) | Node::Break | Node::Continue => true,
        Node::Print(expr) | Node::Assign(_, _, expr) => expr_labels(expr, is_inner, labels),
        Node::If(branches, otherwise) => {
            branches.iter().all(|(condition, body)| {
                expr_labels(condition, is_inner, labels) && all(body, is_inner, labels)
            }) && all(otherwise, is_inner, labels)
        }
        Node::With(over, body, otherwise) | Node::Range { over, body, otherwise, .. } => {
            expr_labels(over, is_inner, labels)
                && all(body, true, labels)
                && all(otherwise, is_inner, labels)
        }
    }
}

fn expr_labels(expr: &Expr, is_inner: bool, labels: &mut Vec<String>) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::Field(path) => match path.first() {
            Some(label) => {
                labels.push(label.clone());
                true
            }
            None => is_inner,
        },
        Expr::Variable(name, path) if name.is_empty() => match path.first() {
            Some(label) => {
                labels.push(label.clone());
                true
            }
            None => false,
        },
        Expr::Variable(..) => true,
        Expr::Call(_, arguments, _) | Expr::Logic(_, arguments) => {
            arguments.iter().all(|argument| expr_labels(argument, is_inner, labels))
        }
        Expr::Access(inner, _) => expr_labels(inner, is_inner, labels),
    }
}

/// How a block went on.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// One line's way through a template.
struct Run<'c> {
    context: &'c Context<'c>,
    variables: Vec<(&'c str, Value<'c>)>,
    dot: Value<'c>,
    rounds: usize,
}

type Outcome<T> = std::result::Result<T, String>;

impl<'c> Run<'c> {
    fn nodes(&mut self, nodes: &'c [Node], out: &mut String) -> Outcome<Flow> {
        let alive = self.variables.len();
        for node in nodes {
            let flow = self.node(node, out)?;
            if out.len() > OUTPUT_BYTES_MAX {
                return Err(format!("the text is longer than {OUTPUT_BYTES_MAX} bytes"));
            }
            if flow != Flow::Next {
                self.variables.truncate(alive);
                return Ok(flow);
            }
        }
        self.variables.truncate(alive);
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'c Node, out: &mut String) -> Outcome<Flow> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(expr) => out.push_str(&self.value(expr)?.show()),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Assign(name, is_new, expr) => {
                let value = self.value(expr)?;
                self.assign(name, *is_new, value)?;
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if !self.value(condition)?.is_empty() {
                        return self.nodes(body, out);
                    }
                }
                return self.nodes(otherwise, out);
            }
            Node::With(over, body, otherwise) => {
                let value = self.value(over)?;
                if value.is_empty() {
                    return self.nodes(otherwise, out);
                }
                let outer = std::mem::replace(&mut self.dot, value);
                let flow = self.nodes(body, out);
                self.dot = outer;
                return flow;
            }
            Node::Range { key, value, over, body, otherwise } => {
                let names = (key.as_deref(), value.as_deref());
                return self.range(names, over, (body, otherwise), out);
            }
        }
        Ok(Flow::Next)
    }

    fn assign(&mut self, name: &'c str, is_new: bool, value: Value<'c>) -> Outcome<()> {
        if is_new {
            if self.variables.len() == VARIABLES_MAX {
                return Err(format!("more than {VARIABLES_MAX} variables"));
            }
            self.variables.push((name, value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value,
            None => return Err(format!("unknown variable '${name}'")),
        }
        Ok(())
    }

    fn range(
        &mut self,
        (key, value): (Option<&'c str>, Option<&'c str>),
        over: &'c Expr,
        (body, otherwise): (&'c [Node], &'c [Node]),
        out: &mut String,
    ) -> Outcome<Flow> {
        let items = self.items(over)?;
        if items.is_empty() {
            return self.nodes(otherwise, out);
        }
        let outer = self.dot.clone();
        for (item_key, item) in items {
            self.rounds += 1;
            if self.rounds > ROUNDS_MAX {
                return Err(format!("more than {ROUNDS_MAX} rounds of range"));
            }
            let alive = self.variables.len();
            if let Some(key) = key {
                self.assign(key, true, item_key)?;
            }
            if let Some(value) = value {
                self.assign(value, true, item.clone())?;
            }
            self.dot = item;
            let flow = self.nodes(body, out);
            self.variables.truncate(alive);
            if flow? == Flow::Break {
                break;
            }
        }
        self.dot = outer;
        Ok(Flow::Next)
    }

    fn items(&mut self, over: &'c Expr) -> Outcome<Vec<(Value<'c>, Value<'c>)>> {
        match self.value(over)? {
            Value::Json(serde_json::Value::Array(list)) => {
                let pair = |(nth, item)| (Value::Int(nth as i64), Value::of_json(item));
                Ok(list.iter().enumerate().map(pair).collect())
            }
            Value::Json(serde_json::Value::Object(map)) => {
                let pair =
                    |(key, item): (&String, _)| (Value::text(key.clone()), Value::of_json(item));
                let mut pairs: Vec<_> = map.iter().collect();
                pairs.sort_by(|a, b| a.0.cmp(b.0));
                Ok(pairs.into_iter().map(pair).collect())
            }
            Value::Labels => {
                let mut pairs: Vec<_> = self.context.row.all_labels().collect();
                pairs.sort_unstable();
                let pair =
                    |(name, value)| (Value::Text(std::borrow::Cow::Borrowed(name)), text_of(value));
                Ok(pairs.into_iter().map(pair).collect())
            }
            Value::Int(count) => Ok((0..count.min(ROUNDS_MAX as i64))
                .map(|n| (Value::Int(n), Value::Int(n)))
                .collect()),
            Value::Nil => Ok(Vec::new()),
            other => Err(format!("range cannot go over '{}'", other.show())),
        }
    }

    fn value(&mut self, expr: &'c Expr) -> Outcome<Value<'c>> {
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Field(path) => access(self.context, self.dot.clone(), path),
            Expr::Variable(name, path) => {
                let value = match name.as_str() {
                    "" => Value::Labels,
                    _ => {
                        let own = self.variables.iter().rev().find(|(own, _)| own == name);
                        own.map(|(_, value)| value.clone())
                            .ok_or_else(|| format!("unknown variable '${name}'"))?
                    }
                };
                access(self.context, value, path)
            }
            Expr::Access(inner, path) => {
                let value = self.value(inner)?;
                access(self.context, value, path)
            }
            Expr::Logic(is_and, arguments) => {
                let mut last = Value::Nil;
                for argument in arguments {
                    last = self.value(argument)?;
                    if last.is_empty() == *is_and {
                        break;
                    }
                }
                Ok(last)
            }
            Expr::Call(entry, arguments, regex) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                let context = self.context;
                let arguments =
                    functions::Arguments { values: &values, regex: regex.as_ref(), context };
                (entry.run)(&arguments).map_err(|message| format!("{}: {message}", entry.name))
            }
        }
    }
}

fn text_of(text: &str) -> Value<'_> {
    Value::Text(std::borrow::Cow::Borrowed(text))
}

// What a path leads to from a value.
fn access<'c>(context: &'c Context<'c>, from: Value<'c>, path: &[String]) -> Outcome<Value<'c>> {
    let mut value = from;
    for name in path {
        value = match &value {
            Value::Labels => text_of(context.row.get(name).unwrap_or_default()),
            Value::Json(serde_json::Value::Object(map)) => {
                map.get(name).map_or(Value::Nil, Value::of_json)
            }
            Value::Nil => Value::Nil,
            other => return Err(format!("'{}' has no '{name}'", other.show())),
        };
    }
    Ok(value)
}
