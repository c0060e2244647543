//! What fits at a place of an incomplete query, and what such a query says already.
//!
//! The parser itself is asked: it runs over the tokens before the cursor and notes what it looked for
//! where they end. So what is proposed is what would be taken.

use super::ast::{
    BinaryOp, Field, FieldExpr, FieldExprKind, Place, Query, Root, SpansetExpr, Stage,
};
use super::ast::{Pipeline, Scope};
use super::grammar::{INTRINSICS, SCOPES};
use super::lex::{self, Lexed, Token};
use super::{check, parse};

/// What fits at a cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// What the chosen text takes the place of: the word at the cursor, or nothing.
    pub replace: Place,
    /// The kinds of names and values that fit, the likelier first. Filtering them by what is typed
    /// already is the asker's.
    pub expects: Vec<Expect>,
}

/// A kind of text that fits.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// A value that this field has, to be compared by this operator.
    Value {
        /// The field.
        field: Field,
        /// The operator.
        op: BinaryOp,
    },
    /// A field. Without a scope any: intrinsics, and attributes with their scopes. With a scope the
    /// attributes in it; `replace` covers the scope too.
    Field {
        /// The scope that is written already.
        scope: Option<Scope>,
        /// Whether it is asked of the parent.
        parent: bool,
    },
    /// A number.
    Number,
    /// Words: literals, intrinsics, hints.
    Keyword(Vec<&'static str>),
    /// Functions and stages, written with parentheses.
    Function(Vec<&'static str>),
    /// Operators.
    Operator(Vec<&'static str>),
    /// Braces, parentheses, commas, bars.
    Symbol(Vec<&'static str>),
}

/// What fits at a cursor, which stands before the character of this number. Nothing fits where the
/// query is wrong before it.
pub fn complete(text: &str, cursor_chars: usize) -> Completion {
    let before = text.chars().take(cursor_chars).collect::<String>();
    let cursor = before.chars().count();
    let (mut tokens, bad) = lex::lex_start(&before);
    let typed_start = match (&bad, tokens.last()) {
        (Some((start, _)), _) => Some(*start),
        (None, Some(last)) if last.place.end == cursor && !is_symbol(last) => {
            Some(last.place.start)
        }
        _ => None,
    };
    let start = typed_start.unwrap_or(cursor);
    let typed = before.chars().skip(start).collect::<String>();
    tokens.retain(|lexed| lexed.place.start < start);
    let mut replace = Place { start, end: end_of_typed(text, start, cursor) };
    let mut expects = merged(parse::expected_behind(&before, tokens.clone()));
    if expects.is_empty() && typed.is_empty() && tokens.last().is_some_and(is_symbol) {
        // Half an operator: `!` of `!=`.
        let last = tokens.pop().map(|lexed| lexed.place).unwrap_or_default();
        if last.end == cursor {
            replace.start = last.start;
            expects = merged(parse::expected_behind(&before, tokens));
            expects.retain(|expect| matches!(expect, Expect::Operator(_) | Expect::Symbol(_)));
        }
    }
    narrow(&typed, &mut replace, &mut expects);
    Completion { replace, expects }
}

fn is_symbol(lexed: &Lexed) -> bool {
    matches!(lexed.token, Token::Symbol(_))
}

// Where the word ends that began at `start` and that the cursor is in.
fn end_of_typed(text: &str, start: usize, cursor: usize) -> usize {
    if start == cursor {
        return cursor;
    }
    let (tokens, bad) = lex::lex_start(text);
    let same = tokens.iter().find(|lexed| lexed.place.start == start);
    if let (Some(same), None) = (same, bad) {
        return same.place.end;
    }
    cursor + text.chars().skip(cursor).take_while(|c| lex::is_name(*c)).count()
}

// Only what can begin with what is typed already.
fn narrow(typed: &str, replace: &mut Place, expects: &mut Vec<Expect>) {
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if typed.starts_with(['"', '`']) {
        expects.retain(|expect| matches!(expect, Expect::Value { .. }));
    } else if typed.starts_with(|c: char| c.is_ascii_digit()) {
        expects.retain(|expect| matches!(expect, Expect::Value { .. } | Expect::Number));
    } else if is_word(typed) {
        if !typed.is_empty() {
            expects.retain(|expect| !matches!(expect, Expect::Operator(_) | Expect::Symbol(_)));
        }
    } else {
        let fits = expects.iter().any(|expect| matches!(expect, Expect::Field { .. }));
        expects.clear();
        expects.extend(fits.then(|| scoped(typed, replace)).flatten());
    }
}

// What `span.ht` or `parent.span:na` begins.
fn scoped(typed: &str, replace: &mut Place) -> Option<Expect> {
    let (parent, rest) = match typed.strip_prefix("parent.") {
        Some(rest) => (true, rest),
        None => (false, typed),
    };
    let scope_end = rest.find(['.', ':']);
    let (scope, mark) = match scope_end {
        Some(end) => (&rest[..end], &rest[end..=end]),
        None => ("", "."),
    };
    if mark == ":" {
        let prefix = &rest[..=scope_end?];
        let names = INTRINSICS.iter().filter_map(|(.., scoped)| *scoped);
        let names = names.filter(|name| name.starts_with(prefix)).collect::<Vec<_>>();
        replace.start += typed.len() - rest.len();
        return (!names.is_empty()).then_some(Expect::Keyword(names));
    }
    match SCOPES.iter().find(|(name, _)| *name == scope) {
        Some((_, scope)) => Some(Expect::Field { scope: Some(*scope), parent }),
        None if scope.is_empty() || parent => {
            Some(Expect::Field { scope: Some(Scope::Any), parent })
        }
        None => None,
    }
}

// One entry a kind, without doubles.
fn merged(found: Vec<Expect>) -> Vec<Expect> {
    let (mut others, mut words) = (Vec::new(), [const { Vec::new() }; 4]);
    for expect in found {
        let (kind, new) = match expect {
            Expect::Keyword(new) => (0, new),
            Expect::Function(new) => (1, new),
            Expect::Operator(new) => (2, new),
            Expect::Symbol(new) => (3, new),
            other if others.contains(&other) => continue,
            other => {
                others.push(other);
                continue;
            }
        };
        let known: &mut Vec<_> = &mut words[kind];
        for word in new {
            if !known.contains(&word) {
                known.push(word);
            }
        }
    }
    let kinds = [Expect::Keyword, Expect::Function, Expect::Operator, Expect::Symbol];
    let words = kinds.into_iter().zip(words).filter(|(_, words)| !words.is_empty());
    others.extend(words.map(|(kind, words)| kind(words)));
    others.sort_by_key(|expect| !matches!(expect, Expect::Value { .. }));
    others
}

/// The conditions that an incomplete query has already: of `{ .a = 1 && .b = }` it is `{ .a = 1 }`. What
/// is left out only made it narrower. Of a query with several braces it is the first stage, if all of
/// the query is whole. None where nothing is known.
pub fn lenient_filter(text: &str) -> Option<SpansetExpr> {
    let (tokens, bad) = lex::lex_start(text);
    let is = |lexed: &Lexed, symbol| lexed.token == Token::Symbol(symbol);
    let mut opening = tokens.iter().enumerate().filter(|(_, lexed)| is(lexed, "{"));
    let open = opening.next()?.0;
    if opening.next().is_some() {
        return first_stage(super::compile_text(text).ok()?);
    }
    let inner = &tokens[open + 1..];
    let close = inner.iter().position(|lexed| is(lexed, "}"));
    let mut conditions = conjuncts(&inner[..close.unwrap_or(inner.len())]);
    if bad.is_some() && close.is_none() {
        // It ends in something that is no token: what that belongs to is not whole.
        conditions.pop();
    }
    let whole = conditions.into_iter().filter_map(|tokens| whole_condition(text, tokens));
    let all = whole.reduce(|left, right| {
        let place = Place { start: left.place.start, end: right.place.end };
        let (left, right) = (Box::new(left), Box::new(right));
        FieldExpr { kind: FieldExprKind::Binary { op: BinaryOp::And, left, right }, place }
    });
    all.map(|all| SpansetExpr::Filter(Some(all)))
}

fn first_stage(query: Query) -> Option<SpansetExpr> {
    let of = |pipeline: Pipeline| match pipeline.stages.into_iter().next() {
        Some(Stage::Spans(spans)) => Some(spans),
        _ => None,
    };
    match query.root {
        Root::Search(pipeline) => of(pipeline),
        Root::Metrics(super::ast::MetricsExpr::Query(query)) => of(query.pipeline),
        Root::Metrics(_) => None,
    }
}

// What must all hold. `&&` and `||` are of one rank: all up to the right side of the last `||` is one.
fn conjuncts(tokens: &[Lexed]) -> Vec<&[Lexed]> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, lexed) in tokens.iter().enumerate() {
        match lexed.token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth = depth.saturating_sub(1),
            Token::Symbol("&&") if depth == 0 => {
                parts.push(start..at);
                start = at + 1;
            }
            Token::Symbol("||") if depth == 0 => {
                parts.clear();
                start = 0;
            }
            _ => {}
        }
    }
    parts.push(start..tokens.len());
    parts.into_iter().map(|part| &tokens[part]).collect()
}

// A condition that parses and can mean something. A field alone is one that is being written.
fn whole_condition(text: &str, tokens: &[Lexed]) -> Option<FieldExpr> {
    let expr = parse::whole_field_expr(text, tokens).ok()?;
    if matches!(expr.kind, FieldExprKind::Field(_)) {
        return None;
    }
    let filter = Stage::Spans(SpansetExpr::Filter(Some(expr.clone())));
    let root = Root::Search(Pipeline { stages: vec![filter] });
    check(&Query { root, hints: Vec::new() }).ok().map(|()| expr)
}
