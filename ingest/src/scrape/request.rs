//! Samples of a scrape as a request of remote write 2.0: what the log keeps, and one decoder for what is pushed and
//! what is pulled.

use hashbrown::HashMap;
use throughline_model::codec::{put_bytes, put_varint};

use super::exposition::{Buckets, Counts, Exemplar, Family, Native, Value};

/// A request under construction. Series are appended as they come; texts stand once.
#[derive(Default)]
pub struct RequestBuilder {
    symbols: Vec<u8>,
    numbers: HashMap<Box<str>, u32>,
    series: Vec<u8>,
    len: usize,
    scratch: [Vec<u8>; 3],
}

/// `Metadata.MetricType`, by number.
const TYPES: [&str; 8] =
    ["", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"];
const RESET_HINT_GAUGE: u64 = 3;

impl RequestBuilder {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Appends a series with one point. Labels are sorted, and none has an empty value.
    pub fn push(
        &mut self,
        labels: &[(String, String)],
        family: Option<&Family>,
        time_ms: i64,
        value: &Value,
        exemplars: &[Exemplar],
    ) {
        self.len += 1;
        let [mut series, mut inner, mut refs] = std::mem::take(&mut self.scratch);
        series.clear();
        self.refs(labels, &mut refs);
        put_message(&mut series, 1, &refs);
        inner.clear();
        match value {
            Value::Number(value) => {
                put_double(&mut inner, 1, *value);
                put_number(&mut inner, 2, time_ms as u64);
                put_message(&mut series, 2, &inner);
            }
            Value::Native(native) => {
                put_native(&mut inner, native, time_ms);
                put_message(&mut series, 3, &inner);
            }
        }
        for exemplar in exemplars {
            inner.clear();
            self.refs(&exemplar.labels, &mut refs);
            put_message(&mut inner, 1, &refs);
            put_double(&mut inner, 2, exemplar.value);
            put_number(&mut inner, 3, exemplar.time_ms.unwrap_or(time_ms) as u64);
            put_message(&mut series, 4, &inner);
        }
        if let Some(family) = family {
            inner.clear();
            let number = TYPES.iter().position(|name| *name == family.metric_type).unwrap_or(0);
            put_number(&mut inner, 1, number as u64);
            put_number(&mut inner, 3, self.symbol(&family.help).into());
            put_number(&mut inner, 4, self.symbol(&family.unit).into());
            put_message(&mut series, 5, &inner);
        }
        put_message(&mut self.series, 5, &series);
        self.scratch = [series, inner, refs];
    }

    /// The body of the request.
    pub fn finish(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.symbols.len() + self.series.len() + 2);
        put_message(&mut body, 4, b"");
        body.extend_from_slice(&self.symbols);
        body.extend_from_slice(&self.series);
        body
    }

    fn refs(&mut self, labels: &[(String, String)], refs: &mut Vec<u8>) {
        refs.clear();
        for (name, value) in labels {
            for text in [name, value] {
                let number = self.symbol(text);
                put_varint(refs, number.into());
            }
        }
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.numbers.len() as u32 + 1;
        self.numbers.insert(text.into(), number);
        put_message(&mut self.symbols, 4, text.as_bytes());
        number
    }
}

fn put_message(out: &mut Vec<u8>, field: u64, message: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_bytes(out, message);
}

fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(out, field << 3);
    put_varint(out, number);
}

fn put_double(out: &mut Vec<u8>, field: u64, number: f64) {
    put_varint(out, field << 3 | 1);
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

fn put_signed(out: &mut Vec<u8>, field: u64, number: i64) {
    put_number(out, field, (number << 1 ^ number >> 63) as u64);
}

/// `Histogram`; see `remote_write::decode::histogram`.
fn put_native(out: &mut Vec<u8>, native: &Native, time_ms: i64) {
    match native.count {
        Counts::Integer(count) => put_number(out, 1, count),
        Counts::Float(count) => put_double(out, 2, count),
    }
    put_double(out, 3, native.sum);
    put_signed(out, 4, native.schema.into());
    put_double(out, 5, native.zero_threshold);
    match native.zero_count {
        Counts::Integer(count) => put_number(out, 6, count),
        Counts::Float(count) => put_double(out, 7, count),
    }
    put_buckets(out, 8, &native.negative);
    put_buckets(out, 11, &native.positive);
    if native.is_gauge {
        put_number(out, 14, RESET_HINT_GAUGE);
    }
    put_number(out, 15, time_ms as u64);
    if native.start_ms != 0 {
        put_number(out, 17, native.start_ms as u64);
    }
}

fn put_buckets(out: &mut Vec<u8>, first_field: u64, buckets: &Buckets) {
    for (offset, length) in &buckets.spans {
        let mut span = Vec::new();
        put_signed(&mut span, 1, (*offset).into());
        put_number(&mut span, 2, (*length).into());
        put_message(out, first_field, &span);
    }
    let mut packed = Vec::new();
    for delta in &buckets.deltas {
        put_varint(&mut packed, (delta << 1 ^ delta >> 63) as u64);
    }
    if !packed.is_empty() {
        put_message(out, first_field + 1, &packed);
    }
    packed.clear();
    buckets.counts.iter().for_each(|count| packed.extend_from_slice(&count.to_le_bytes()));
    if !packed.is_empty() {
        put_message(out, first_field + 2, &packed);
    }
}
