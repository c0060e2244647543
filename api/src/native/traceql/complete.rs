//! Completion: what the grammar expects at the cursor, filled with names and values that occur.

use throughline_query::QueryContext;
use throughline_query::complete::NameCount;
use throughline_query::complete::fields::{FIELDS_MAX, FieldLook, intrinsic_names};
use throughline_query::traceql::ast::{BinaryOp, Field, FieldExpr, Scope, SpansetExpr, Static};
use throughline_query::traceql::grammar::SCOPES;
use throughline_query::traceql::{self, Expect};

use super::params::CompleteLook;
use super::wire::{Completion, Proposal};
use crate::error::Result;
use crate::state::ApiState;

/// What fits at the cursor.
pub async fn complete(
    look: &CompleteLook,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<Completion> {
    let found = traceql::complete(&look.text, look.cursor);
    let typed = |start: usize| -> String {
        look.text.chars().skip(start).take(look.cursor.saturating_sub(start)).collect()
    };
    let mut filling = Filling {
        state,
        ctx,
        // What is typed already is compared here, so all that there is must be looked at.
        look: FieldLook { time: look.time, filter: filter(&look.text), limit: FIELDS_MAX },
        typed: typed(found.replace.start),
        limit: look.limit,
        proposals: Vec::new(),
        truncated: false,
    };
    for expect in found.expects {
        filling.add(expect).await?;
    }
    let Filling { proposals, truncated, .. } = filling;
    Ok(Completion { replace: found.replace.into(), proposals, truncated })
}

fn filter(text: &str) -> Option<FieldExpr> {
    match traceql::lenient_filter(text)? {
        SpansetExpr::Filter(filter) => filter,
        _ => None,
    }
}

// Proposals under way.
struct Filling<'a> {
    state: &'a ApiState,
    ctx: &'a QueryContext,
    look: FieldLook,
    // What stands before the cursor of what a proposal replaces.
    typed: String,
    limit: usize,
    proposals: Vec<Proposal>,
    truncated: bool,
}

impl Filling<'_> {
    async fn add(&mut self, expect: Expect) -> Result<()> {
        match expect {
            Expect::Value { field, op } => self.add_values(&field, op).await?,
            Expect::Field { scope, parent } => self.add_fields(scope, parent).await?,
            Expect::Number => {}
            Expect::Keyword(words) => self.add_words("keyword", words),
            Expect::Function(words) => self.add_words("function", words),
            Expect::Operator(words) => self.add_words("operator", words),
            Expect::Symbol(words) => self.add_words("symbol", words),
        }
        Ok(())
    }

    fn add_words(&mut self, kind: &'static str, words: Vec<&'static str>) {
        for word in words {
            self.propose(kind, word.to_owned(), None);
        }
    }

    fn propose(&mut self, kind: &'static str, text: String, count: Option<u64>) {
        let begins = text
            .get(..self.typed.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(&self.typed));
        if !begins || self.proposals.iter().any(|known| known.text == text) {
            return;
        }
        match self.proposals.len() < self.limit {
            true => self.proposals.push(Proposal { text, kind, count }),
            false => self.truncated = true,
        }
    }

    async fn add_values(&mut self, field: &Field, op: BinaryOp) -> Result<()> {
        let found = self.state.engine.field_values(field, &self.look, self.ctx).await?;
        self.truncated |= found.truncated;
        let is_text = matches!(op, BinaryOp::Matches | BinaryOp::NotMatches);
        for value in found.values {
            let proposed = match value.value {
                Static::String(text) if is_text => Static::String(regex::escape(&text)),
                // Only texts match.
                _ if is_text => continue,
                other => other,
            };
            let count = Some(value.count).filter(|count| *count > 0);
            self.propose("value", proposed.to_string(), count);
        }
        Ok(())
    }

    async fn add_fields(&mut self, scope: Option<Scope>, parent: bool) -> Result<()> {
        let is_asked = |candidate: Scope| match scope {
            None => true,
            // Without a scope a key is looked for in both.
            Some(Scope::Any) => matches!(candidate, Scope::Span | Scope::Resource),
            Some(scope) => scope == candidate,
        };
        let candidates = SCOPES.iter().map(|(_, scope)| *scope);
        for candidate in candidates.filter(|candidate| is_asked(*candidate)) {
            let found = self.state.engine.field_names(candidate, &self.look, self.ctx).await?;
            self.truncated |= found.truncated;
            let written = if scope == Some(Scope::Any) { Scope::Any } else { candidate };
            for NameCount { name, count } in found.names {
                let field = Field::Attribute { scope: written, parent, name };
                self.propose("field", field.to_string(), Some(count));
            }
        }
        if scope.is_none() {
            for name in intrinsic_names() {
                let parent = if parent { "parent." } else { "" };
                self.propose("field", format!("{parent}{name}"), None);
            }
        }
        Ok(())
    }
}
