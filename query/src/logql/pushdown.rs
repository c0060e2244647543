//! What a scan may leave out before any stage runs.

use super::ast::{
    CompareOp, LabelFilter, LabelPick, LabelSource, LineFilter, LogExpr, Matcher, Quantity, Stage,
};
use super::grammar::{ERROR, EXTRACTED};

/// Conditions that every line of the answer fulfils, whatever the other stages do.
///
/// A scan may drop an entry that breaks one of them; the pipeline tests all of them again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushdown {
    /// On labels of the stream; a missing label has the empty text.
    pub matchers: Vec<Matcher>,
    /// On the line as it is stored.
    pub line_filters: Vec<LineFilter>,
    /// On labels of the stream and on structured metadata; no stage before them can make a label of
    /// that name or take one away. Conditions on numbers keep an entry whose label is there and is
    /// no number (it gets an error), and drop one that has no such label.
    pub label_filters: Vec<LabelFilter>,
}

/// Which labels may differ from what is stored.
struct Touched {
    all: bool,
    names: Vec<String>,
}

impl Touched {
    fn has(&self, name: &str) -> bool {
        self.all || self.names.iter().any(|own| own == name)
    }
}

impl Pushdown {
    /// What can be pushed down of a query.
    pub fn new(log: &LogExpr) -> Self {
        let mut pushdown = Self { matchers: log.matchers.clone(), ..Self::default() };
        let mut touched = Touched { all: false, names: Vec::new() };
        let (mut is_line_new, mut may_fail) = (false, false);
        for stage in &log.stages {
            match stage {
                Stage::Line(filter) if !is_line_new => pushdown.line_filters.push(filter.clone()),
                Stage::Line(_) => {}
                Stage::Filter(filter) => {
                    pushdown.push_filter(filter, &touched, may_fail);
                    may_fail |= has_number(filter);
                }
                Stage::Json(list) | Stage::Logfmt { extractions: list, .. } => {
                    touched.all |= list.is_empty();
                    touched.names.extend(list.iter().map(|extraction| extraction.label.clone()));
                    may_fail = true;
                }
                Stage::Regexp(text) => match regex::Regex::new(&text.value) {
                    Ok(regex) => {
                        touched.names.extend(regex.capture_names().flatten().map(str::to_owned));
                    }
                    Err(_) => touched.all = true,
                },
                Stage::Pattern(text) => touched.names.extend(pattern_names(&text.value)),
                Stage::Unpack => (touched.all, is_line_new, may_fail) = (true, true, true),
                Stage::Decolorize => is_line_new = true,
                Stage::LineFormat(_) => (is_line_new, may_fail) = (true, true),
                Stage::LabelFormat(formats) => {
                    may_fail = true;
                    for format in formats {
                        touched.names.push(format.label.clone());
                        if let LabelSource::Rename(from) = &format.source {
                            touched.names.push(from.clone());
                        }
                    }
                }
                Stage::Drop(picks) => touched.names.extend(picks.iter().map(pick_name)),
                Stage::Keep(_) => touched.all = true,
            }
        }
        pushdown
    }

    fn push_filter(&mut self, filter: &LabelFilter, touched: &Touched, may_fail: bool) {
        // Both sides of `and` hold of what is kept; of other conditions only the whole does.
        if let LabelFilter::And(left, right) = filter {
            self.push_filter(left, touched, may_fail);
            return self.push_filter(right, touched, may_fail || has_number(left));
        }
        // A line with an error passes conditions on numbers, whatever the label.
        let is_safe = !(may_fail && has_number(filter));
        if is_safe && names(filter).iter().all(|name| is_stored(name) && !touched.has(name)) {
            self.label_filters.push(filter.clone());
        }
    }
}

// What went wrong with a line is not stored, and the suffix stands for a name that two have.
fn is_stored(name: &str) -> bool {
    !name.starts_with(ERROR.trim_end_matches('_')) && !name.ends_with(EXTRACTED)
}

fn has_number(filter: &LabelFilter) -> bool {
    match filter {
        LabelFilter::Match(_) => false,
        LabelFilter::Number { .. } | LabelFilter::Ip { .. } => true,
        LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
            has_number(left) || has_number(right)
        }
    }
}

fn names(filter: &LabelFilter) -> Vec<&str> {
    match filter {
        LabelFilter::Match(matcher) => vec![&matcher.name],
        LabelFilter::Number { name, .. } | LabelFilter::Ip { name, .. } => vec![name],
        LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
            let mut all = names(left);
            all.extend(names(right));
            all
        }
    }
}

fn pick_name(pick: &LabelPick) -> String {
    match pick {
        LabelPick::Name(name) => name.clone(),
        LabelPick::Match(matcher) => matcher.name.clone(),
    }
}

fn pattern_names(text: &str) -> Vec<String> {
    let pieces = text.split('<').skip(1);
    pieces.filter_map(|piece| piece.split_once('>')).map(|(name, _)| name.to_owned()).collect()
}

impl Quantity {
    /// Whether the comparison holds of a label's text; none where the text is no such quantity, and
    /// the entry must be kept.
    pub fn holds(&self, text: &str, op: CompareOp) -> Option<bool> {
        super::pipeline::compare(text, op, self)
    }
}
