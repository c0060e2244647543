//! Items a second of CPU time of the decoder, on one core: on the bodies of the project's load where `BENCH_LOAD_DIR`
//! names them (frames `u32 LE length | u32 LE items | body`), and on a body built here.
//!
//! `cargo bench -p throughline-ingest`. Nothing passes or fails by time.
#![allow(missing_docs)]

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use throughline_ingest::otlp::decode::decode_request;
use throughline_ingest::otlp::json;
use throughline_model::Signal;
use throughline_model::codec::put_nested;

/// How much of a load file is read.
const LOAD_BYTES_MAX: u64 = 256 << 20;
/// How long each case runs at least.
const CASE_MIN: Duration = Duration::from_secs(2);

const FILES: [(&str, Signal); 3] = [
    ("traces.bin", Signal::Traces),
    ("logs.bin", Signal::Logs),
    ("metrics_otlp.bin", Signal::Metrics),
];

fn main() {
    // `cargo test --benches` runs bench targets too, without `--bench`: nothing to do there.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let synthetic = vec![synthetic_traces(1000)];
    measure("traces, built here", Signal::Traces, &synthetic, |body| body.to_vec());
    let json: Vec<Vec<u8>> = vec![synthetic_json(1000)];
    measure("traces, built here, JSON", Signal::Traces, &json, |body| {
        json::to_protobuf(Signal::Traces, body).expect("well-formed")
    });
    let Some(folder) = std::env::var_os("BENCH_LOAD_DIR") else {
        println!("the load is skipped: BENCH_LOAD_DIR is not set");
        return;
    };
    for (file, signal) in FILES {
        match read_frames(&Path::new(&folder).join(file)) {
            Ok(bodies) => measure(file, signal, &bodies, |body| body.to_vec()),
            Err(err) => println!("{file} is skipped: {err}"),
        }
    }
}

fn read_frames(path: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut file = std::io::BufReader::new(std::fs::File::open(path)?.take(LOAD_BYTES_MAX));
    let mut bodies = Vec::new();
    let mut prefix = [0; 8];
    while file.read_exact(&mut prefix).is_ok() {
        let [a, b, c, d, ..] = prefix;
        let mut body = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        if file.read_exact(&mut body).is_err() {
            break; // cut by the limit
        }
        bodies.push(body);
    }
    Ok(bodies)
}

fn measure(name: &str, signal: Signal, bodies: &[Vec<u8>], wire: impl Fn(&[u8]) -> Vec<u8>) {
    let (began, began_cpu) = (Instant::now(), cpu_time());
    let (mut items, mut bytes, mut rounds) = (0, 0, 0);
    while began.elapsed() < CASE_MIN || rounds == 0 {
        for body in bodies {
            let wire = wire(body);
            let decoded = decode_request(signal, &wire, 1).expect("well-formed");
            items += black_box(&decoded).batch.len();
            bytes += body.len();
        }
        rounds += 1;
    }
    let elapsed = match (began_cpu, cpu_time()) {
        (Some(from), Some(to)) => to - from,
        _ => began.elapsed(),
    };
    let seconds = elapsed.as_secs_f64();
    println!(
        "{name}: {:.0} items/s, {:.0} MB/s, {:.0} ns an item, {:.0} bytes an item",
        items as f64 / seconds,
        bytes as f64 / 1e6 / seconds,
        seconds * 1e9 / items as f64,
        bytes as f64 / items as f64,
    );
}

/// CPU time of this thread, where the system tells it: a busy machine does not change the figures.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// A request of `spans` spans with ten attributes and an event each.
fn synthetic_traces(spans: u64) -> Vec<u8> {
    let mut request = Vec::new();
    message(&mut request, 1, |resource_spans| {
        message(resource_spans, 1, |resource| {
            attribute(resource, 1, "service.name", "checkout");
        });
        message(resource_spans, 2, |scope_spans| {
            for n in 0..spans {
                message(scope_spans, 2, |out| span(out, n));
            }
        });
    });
    request
}

fn span(out: &mut Vec<u8>, n: u64) {
    let trace_id = [n.to_le_bytes(), (n | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()];
    bytes(out, 1, &trace_id.concat());
    bytes(out, 2, &(n + 1).to_be_bytes());
    bytes(out, 5, b"POST /api/checkout");
    for (field, time) in [(7u8, 1_795_176_000_000_000_000 + n), (8, 1_795_176_000_001_000_000 + n)]
    {
        out.push(field << 3 | 1);
        out.extend_from_slice(&time.to_le_bytes());
    }
    for key in ["http.request.method", "url.path", "server.address", "http.route", "user.id"] {
        attribute(out, 9, key, &format!("value-{}", n % 50));
        attribute(out, 9, &format!("{key}.extra"), "constant");
    }
    message(out, 11, |event| bytes(event, 2, b"charged"));
}

fn message(out: &mut Vec<u8>, field: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(field << 3 | 2);
    put_nested(out, fill);
}

fn bytes(out: &mut Vec<u8>, field: u8, payload: &[u8]) {
    message(out, field, |out| out.extend_from_slice(payload));
}

fn attribute(out: &mut Vec<u8>, field: u8, key: &str, text: &str) {
    message(out, field, |out| {
        bytes(out, 1, key.as_bytes());
        message(out, 2, |value| bytes(value, 1, text.as_bytes()));
    });
}

/// The same request in JSON.
fn synthetic_json(spans: u64) -> Vec<u8> {
    let span = |n: u64| {
        let attributes: Vec<_> = (0..10)
            .map(|k| {
                let value = format!("value-{}", n % 50);
                serde_json::json!({"key": format!("http.key.{k}"), "value": {"stringValue": value}})
            })
            .collect();
        serde_json::json!({
            "traceId": format!("{:032x}", n + 1), "spanId": format!("{:016x}", n + 1),
            "name": "POST /api/checkout", "kind": 2,
            "startTimeUnixNano": (1_795_176_000_000_000_000 + n).to_string(),
            "endTimeUnixNano": (1_795_176_000_001_000_000 + n).to_string(),
            "attributes": attributes, "events": [{"name": "charged"}],
        })
    };
    let spans: Vec<_> = (0..spans).map(span).collect();
    serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
        .to_string()
        .into_bytes()
}
