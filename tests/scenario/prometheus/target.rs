//! A target with the metrics that the compliance set asks for, the same in every run.

use std::fmt::Write as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BOUNDS: [&str; 6] = ["0.005", "0.01", "0.1", "0.25", "1", "+Inf"];

/// Where it is, and under what name.
pub struct Target {
    pub address: String,
    pub instance: String,
}

impl Target {
    /// A target that goes away after so many scrapes.
    pub async fn start(number: u64, scrapes: u64) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            for scrape in 0..scrapes {
                let (stream, _) = listener.accept().await.expect("a scrape");
                answer(stream, &exposition(number, scrape)).await;
            }
        });
        Target { address, instance: format!("demo.promlabs.com:{}", 10000 + number) }
    }
}

async fn answer(mut stream: TcpStream, body: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.expect("a request") == 0 {
            return;
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    // Who scrapes may have given up.
    let _ = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await;
}

/// Some number from others, the same in every run.
fn noise(parts: [u64; 3]) -> f64 {
    let [a, b, c] = parts;
    let mut x =
        a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (c + 1);
    for _ in 0..3 {
        x ^= x >> 29;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    (x >> 40) as f64 / (1u64 << 24) as f64
}

fn exposition(target: u64, scrape: u64) -> String {
    let mut out = String::new();
    let line = |out: &mut String, name: &str, value: f64| {
        writeln!(out, "{name} {value}").expect("in memory");
    };
    for (n, kind) in ["buffers", "cached", "free", "used"].into_iter().enumerate() {
        let value = (1e9 * (1.0 + noise([target, scrape, n as u64]))).round();
        line(&mut out, &format!("demo_memory_usage_bytes{{type=\"{kind}\"}}"), value);
    }
    line(&mut out, "demo_num_cpus", 4.0);
    line(&mut out, "demo_disk_total_bytes", 2.6e11);
    line(&mut out, "demo_disk_usage_bytes", 4e10 + 1.25e6 * scrape as f64 + target as f64);
    for (n, mode) in ["idle", "system", "user"].into_iter().enumerate() {
        // Counters begin anew now and then, far from zero: how far below its first sample a counter may have
        // been is guessed otherwise by 3.x.
        let since = scrape % (17 + target);
        let value = (0..=since).map(|at| noise([target, at, 10 + n as u64])).sum::<f64>() + 25.0;
        line(&mut out, &format!("demo_cpu_usage_seconds_total{{mode=\"{mode}\"}}"), value);
    }
    let batch = 1.7e9 + (scrape / 7 * 31 * 86_400) as f64;
    line(&mut out, "demo_batch_last_success_timestamp_seconds", batch);
    if scrape % 8 < 5 {
        line(&mut out, "demo_intermittent_metric", scrape as f64);
    }
    for (n, path) in ["/api/bar", "/api/foo"].into_iter().enumerate() {
        for (m, status) in ["200", "500"].into_iter().enumerate() {
            let labels = format!("method=\"GET\",path=\"{path}\",status=\"{status}\"");
            let per_scrape = (1 + n + 2 * m) as u64;
            let mut count = 0;
            for (i, bound) in BOUNDS.iter().enumerate() {
                count += scrape * per_scrape * (i as u64 % 3 + target);
                let name =
                    format!("demo_api_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}}");
                line(&mut out, &name, count as f64);
            }
            let name = format!("demo_api_request_duration_seconds_sum{{{labels}}}");
            line(&mut out, &name, count as f64 * 0.125);
            line(
                &mut out,
                &format!("demo_api_request_duration_seconds_count{{{labels}}}"),
                count as f64,
            );
        }
    }
    out
}
