//! The text formats: Prometheus' (0.0.4 and 1.0.0) and OpenMetrics' (1.0).
//!
//! ```text
//! # HELP name text      # TYPE name type      # UNIT name unit      # EOF
//! name{label="value",…} number [time] [# {label="value",…} number [time]]
//! {"any name", "any label"="value"} number
//! ```
//! Times are milliseconds in Prometheus' format, seconds in OpenMetrics, where a text has to end with `# EOF`.

use hashbrown::HashMap;

use super::scan::{Line, unescaped};
use super::{Exemplar, Exposition, Family, SAMPLES_MAX, Sample, Value, canonical_bound, number};
use crate::records::Read;

const NAME: &str = "__name__";
/// What the name of a sample may have after the name of its family.
const SUFFIXES: [&str; 8] =
    ["_total", "_created", "_bucket", "_count", "_sum", "_info", "_gcount", "_gsum"];

/// Reads a text.
pub fn read(text: &str, is_openmetrics: bool) -> Read<Exposition> {
    let mut reader = Reader { is_openmetrics, known: HashMap::new(), found: Exposition::default() };
    let mut has_ended = false;
    for (i, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if has_ended && !line.is_empty() {
            return Err(format!("line {}: text after '# EOF'", i + 1));
        }
        if is_openmetrics && line == "# EOF" {
            has_ended = true;
            continue;
        }
        let mut line = Line::new(i + 1, line);
        line.skip_blanks();
        match line.peek() {
            None => {}
            Some('#') => reader.comment(&mut line)?,
            Some(_) => reader.sample(&mut line)?,
        }
    }
    if is_openmetrics && !has_ended {
        return Err("the text does not end with '# EOF': it may be cut off".to_owned());
    }
    Ok(reader.found)
}

struct Reader {
    is_openmetrics: bool,
    known: HashMap<String, usize>,
    found: Exposition,
}

impl Reader {
    fn comment(&mut self, line: &mut Line<'_>) -> Read<()> {
        line.take("#");
        line.skip_blanks();
        let word = line.word();
        if !matches!(word, "HELP" | "TYPE" | "UNIT") || !line.skip_blanks() {
            return Ok(());
        }
        let name = match line.peek() {
            Some('"') => line.quoted()?,
            _ => line.word().to_owned(),
        };
        if name.is_empty() {
            return Err(line.wrong("expected the name of a metric"));
        }
        line.skip_blanks();
        let rest = line.rest();
        let place = self.family(&name);
        let is_openmetrics = self.is_openmetrics;
        let family = &mut self.found.families[place];
        match word {
            "HELP" => family.help = unescaped(rest, is_openmetrics),
            "UNIT" => family.unit = rest.to_owned(),
            _ => {
                family.metric_type = match rest.trim_end() {
                    "counter" => "counter",
                    "gauge" => "gauge",
                    "histogram" => "histogram",
                    "gaugehistogram" => "gaugehistogram",
                    "summary" => "summary",
                    "info" => "info",
                    "stateset" => "stateset",
                    "untyped" | "unknown" => "",
                    other => return Err(line.wrong(&format!("'{other}' is no type of a metric"))),
                }
            }
        }
        Ok(())
    }

    fn family(&mut self, name: &str) -> usize {
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        let place = self.found.families.len();
        self.known.insert(name.to_owned(), place);
        self.found.families.push(Family { name: name.to_owned(), ..Family::default() });
        place
    }

    fn sample(&mut self, line: &mut Line<'_>) -> Read<()> {
        if self.found.samples.len() == SAMPLES_MAX {
            return Err(format!("more than {SAMPLES_MAX} samples"));
        }
        let mut labels = Vec::new();
        if line.peek() != Some('{') {
            let name = line.name(true)?.to_owned();
            labels.push((NAME.to_owned(), name));
        }
        line.skip_blanks();
        if line.peek() == Some('{') {
            read_labels(line, &mut labels, true)?;
        }
        if labels.first().is_none_or(|(name, _)| name != NAME) {
            return Err(line.wrong("a sample without a name"));
        }
        line.skip_blanks();
        let value = self.number(line)?;
        let mut time_ms = None;
        if line.skip_blanks() && !line.is_empty() && line.peek() != Some('#') {
            time_ms = Some(self.time_ms(line)?);
            line.skip_blanks();
        }
        let mut exemplars = Vec::new();
        if self.is_openmetrics && line.take("#") {
            exemplars.push(self.exemplar(line)?);
            line.skip_blanks();
        }
        if !line.is_empty() {
            return Err(line.wrong("expected the end of the line"));
        }
        let family = self.family_of(&labels[0].1);
        let bound = match family.map(|place| self.found.families[place].metric_type) {
            Some("histogram" | "gaugehistogram") => "le",
            Some("summary") => "quantile",
            _ => "",
        };
        for (_, value) in labels.iter_mut().filter(|(name, _)| !bound.is_empty() && name == bound) {
            *value = canonical_bound(value);
        }
        let value = Value::Number(value);
        self.found.samples.push(Sample { family, labels, value, time_ms, exemplars });
        Ok(())
    }

    /// The family of a sample, by its name with or without what its type adds.
    fn family_of(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.known.get(name) {
            return Some(*place);
        }
        let bases = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix));
        bases.filter_map(|base| self.known.get(base)).next().copied()
    }

    fn number(&self, line: &mut Line<'_>) -> Read<f64> {
        let word = line.word();
        number::parse(word).map_err(|()| line.wrong(&format!("'{word}' is no number")))
    }

    fn time_ms(&self, line: &mut Line<'_>) -> Read<i64> {
        let word = line.word();
        let wrong = || line.wrong(&format!("'{word}' is no time"));
        if !self.is_openmetrics {
            return word.parse().map_err(|_| wrong());
        }
        let seconds = number::parse(word).map_err(|()| wrong())?;
        let ms = (seconds * 1e3).round();
        if ms.is_nan() || ms.abs() >= i64::MAX as f64 {
            return Err(wrong());
        }
        Ok(ms as i64)
    }

    fn exemplar(&self, line: &mut Line<'_>) -> Read<Exemplar> {
        line.skip_blanks();
        let mut labels = Vec::new();
        read_labels(line, &mut labels, false)?;
        line.skip_blanks();
        let value = self.number(line)?;
        line.skip_blanks();
        let time_ms = if line.is_empty() { None } else { Some(self.time_ms(line)?) };
        Ok(Exemplar { labels, value, time_ms })
    }
}

/// `{name="value", …}`; the name of the metric may stand in it, in quotes, where that is allowed.
fn read_labels(
    line: &mut Line<'_>,
    labels: &mut Vec<(String, String)>,
    allows_name: bool,
) -> Read<()> {
    if !line.take("{") {
        return Err(line.wrong("expected '{'"));
    }
    loop {
        line.skip_blanks();
        if line.take("}") {
            return Ok(());
        }
        let is_quoted = line.peek() == Some('"');
        let name = if is_quoted { line.quoted()? } else { line.name(false)?.to_owned() };
        line.skip_blanks();
        if line.take("=") {
            line.skip_blanks();
            let value = line.quoted()?;
            if labels.iter().any(|(own, _)| *own == name) {
                return Err(line.wrong(&format!("label '{name}' stands twice")));
            }
            labels.push((name, value));
        } else if is_quoted && allows_name && labels.is_empty() {
            labels.push((NAME.to_owned(), name));
        } else {
            return Err(line.wrong(&format!("expected '=' after the label '{name}'")));
        }
        line.skip_blanks();
        if !line.take(",") && line.peek() != Some('}') {
            return Err(line.wrong("expected ',' or '}'"));
        }
    }
}
