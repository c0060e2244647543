//! A writer of the OpenMetrics text format.
//!
//! ```text
//! # TYPE throughline_requests counter
//! # HELP throughline_requests Requests acknowledged.
//! throughline_requests_total{signal="traces"} 12
//! # EOF
//! ```

use std::fmt::Write as _;

/// The text, family by family.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

/// Name and value of each label.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// A counter with its points.
    pub fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        points: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.head(name, "counter", help);
        for (labels, value) in points {
            self.point(&format!("{name}_total"), labels, value);
        }
    }

    /// A gauge with its points.
    pub fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        points: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.head(name, "gauge", help);
        for (labels, value) in points {
            self.point(name, labels, value);
        }
    }

    /// The head of a histogram; its points follow.
    pub fn histogram(&mut self, name: &str, help: &str) {
        self.head(name, "histogram", help);
    }

    /// One series of a histogram: counts between the bounds, not cumulative, one more than bounds.
    pub fn histogram_points(
        &mut self,
        name: &str,
        label: (&str, &str),
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) {
        let mut total = 0;
        for (at, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(at).map_or("+Inf".to_owned(), |bound| bound.to_string());
            let labels = [label, ("le", bound.as_str())];
            self.point(&format!("{name}_bucket"), &labels, total as f64);
        }
        self.point(&format!("{name}_count"), &[label], total as f64);
        self.point(&format!("{name}_sum"), &[label], sum);
    }

    /// The finished page.
    pub fn finish(mut self) -> String {
        self.text += "# EOF\n";
        self.text
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        let _ = writeln!(self.text, "# HELP {name} {}", help.replace('\n', " "));
    }

    fn point(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.text += name;
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_openmetrics() {
        let mut page = Page::default();
        page.counter("a", "Counts a.", [(&[("x", "q\"\n")][..], 2.0)]);
        page.gauge("b", "Is b.", [(&[][..], 0.5)]);
        page.histogram("c_seconds", "Takes c.");
        page.histogram_points("c_seconds", ("s", "t"), &[0.1, 1.0], &[1, 0, 2], 3.5);
        let expected = "# TYPE a counter\n# HELP a Counts a.\na_total{x=\"q\\\"\\n\"} 2\n\
            # TYPE b gauge\n# HELP b Is b.\nb 0.5\n\
            # TYPE c_seconds histogram\n# HELP c_seconds Takes c.\n\
            c_seconds_bucket{s=\"t\",le=\"0.1\"} 1\nc_seconds_bucket{s=\"t\",le=\"1\"} 1\n\
            c_seconds_bucket{s=\"t\",le=\"+Inf\"} 3\nc_seconds_count{s=\"t\"} 3\n\
            c_seconds_sum{s=\"t\"} 3.5\n# EOF\n";
        assert_eq!(page.finish(), expected);
    }
}
