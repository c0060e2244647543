//! Completion: what the language expects at the cursor, filled with names and values that occur.

use throughline_model::Signal;
use throughline_model::schema::col;
use throughline_query::QueryContext;
use throughline_query::complete::{AttributePlace, NameCount, Names};
use throughline_query::logs::language::grammar::{Field, Fixed, Owner};
use throughline_query::logs::language::{self, Kind, Wanted, written_field, written_value};

use super::super::super::traceql::wire::Span;
use super::params::CompleteLook;
use super::wire::{LogCompletion, LogProposal};
use crate::error::Result;
use crate::state::ApiState;

/// What fits at the cursor.
pub async fn complete(
    look: &CompleteLook,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<LogCompletion> {
    let text = look.text.as_str();
    let cursor = text.char_indices().nth(look.cursor).map_or(text.len(), |(at, _)| at);
    let found = language::complete(text, cursor);
    let chars = |bytes: usize| text.get(..bytes).unwrap_or(text).chars().count();
    let replace = Span { start: chars(found.replace.start), end: chars(found.replace.end) };
    let mut filling =
        Filling { state, ctx, look, typed: found.typed, proposals: Vec::new(), truncated: false };
    for wanted in &found.wanted {
        match wanted {
            Wanted::FieldNames { in_filter } => filling.add_fields(*in_filter).await?,
            Wanted::ValuesOf(field) => filling.add_values(field).await?,
        }
    }
    // What occurs comes behind the language's own words.
    let mut proposals = found.items.into_iter().map(|item| LogProposal {
        text: item.text,
        insert: item.insert,
        kind: kind_name(item.kind),
        detail: item.detail,
        count: None,
    });
    let mut all = proposals.by_ref().collect::<Vec<_>>();
    for proposal in filling.proposals {
        if !all.iter().any(|known| known.text == proposal.text && known.kind == proposal.kind) {
            all.push(proposal);
        }
    }
    let truncated = filling.truncated || all.len() > look.limit;
    all.truncate(look.limit);
    Ok(LogCompletion { replace, proposals: all, truncated })
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Field => "field",
        Kind::Value => "value",
        Kind::Keyword => "keyword",
        Kind::Pipe => "pipe",
        Kind::Function => "function",
        Kind::Symbol => "symbol",
    }
}

// Proposals under way.
struct Filling<'a> {
    state: &'a ApiState,
    ctx: &'a QueryContext,
    look: &'a CompleteLook,
    // What stands before the cursor of what a proposal replaces.
    typed: String,
    proposals: Vec<LogProposal>,
    truncated: bool,
}

impl Filling<'_> {
    // What occurs and begins with what is typed, in either case.
    fn propose(
        &mut self,
        found: Names,
        kind: &'static str,
        prefix: &str,
        insert: impl Fn(&str) -> String,
    ) {
        self.truncated |= found.truncated;
        for NameCount { name, count } in found.names {
            let text = format!("{prefix}{name}");
            let begins = text
                .get(..self.typed.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(&self.typed));
            if begins {
                let (insert, count) = (insert(&text), Some(count));
                self.proposals.push(LogProposal { text, insert, kind, detail: "", count });
            }
        }
    }

    async fn add_fields(&mut self, in_filter: bool) -> Result<()> {
        let colon = if in_filter { ":" } else { "" };
        for (place, prefix) in [
            (AttributePlace::Item, ""),
            (AttributePlace::Resource, "resource."),
            (AttributePlace::Scope, "scope."),
        ] {
            let (engine, time) = (&self.state.engine, self.look.time);
            let names = engine.attribute_names(Signal::Logs, place, "", time, self.ctx).await?;
            let written = |text: &str| format!("{}{colon}", written_field(text, in_filter));
            self.propose(names, "field", prefix, written);
        }
        Ok(())
    }

    async fn add_values(&mut self, field: &str) -> Result<()> {
        let (engine, time) = (&self.state.engine, self.look.time);
        let (owner, key) = match Field::of(field) {
            Field::Attribute(owner, key) => (owner, key),
            Field::Fixed(fixed) => {
                let column = match fixed {
                    Fixed::Service => col::SERVICE_NAME,
                    Fixed::SeverityText => col::SEVERITY_TEXT,
                    Fixed::Event => col::EVENT_NAME,
                    // Of numbers, ids and prose there are too many to choose from.
                    _ => return Ok(()),
                };
                let names = engine.log_texts(column, "", time, self.ctx).await?;
                self.propose(names, "value", "", written_value);
                return Ok(());
            }
        };
        let places: &[AttributePlace] = match owner {
            Owner::Any => &[AttributePlace::Item, AttributePlace::Resource],
            Owner::Record => &[AttributePlace::Item],
            Owner::Resource => &[AttributePlace::Resource],
            Owner::Scope => &[AttributePlace::Scope],
        };
        for place in places {
            let names =
                engine.attribute_values(Signal::Logs, *place, &key, "", time, self.ctx).await?;
            self.propose(names, "value", "", written_value);
        }
        Ok(())
    }
}
