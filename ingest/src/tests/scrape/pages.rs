//! From scrape to scrape: labels, limits, marks of ends, and that all of it is what the receiver of remote write reads.

use std::path::Path;
use std::sync::Arc;

use prost::Message as _;
use throughline_model::histogram::is_stale;

use crate::scrape::ScrapeConfig;
use crate::scrape::config::Job;
use crate::scrape::exposition::{self, Form};
use crate::scrape::page::{Page, Refused, Report};
use crate::scrape::relabel::Labels;
use crate::tests::remote_write::wire::Request;

use super::BOTH;

fn job(lines: &str) -> Arc<Job> {
    let text = format!("scrape_configs:\n  - job_name: j\n{lines}");
    let config = ScrapeConfig::parse(&text, Path::new(".")).expect("reads");
    config.jobs[0].clone()
}

fn target() -> Labels {
    vec![("instance".to_owned(), "i:1".to_owned()), ("job".to_owned(), "j".to_owned())]
}

/// What the bodies hold: `name{labels} value@time`, sorted; the series about the scrape only if they are asked for.
fn told(bodies: &[Vec<u8>], with_report: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for body in bodies {
        let request = Request::decode(body.as_slice()).expect("a request of remote write 2.0");
        let text = |number: &u32| String::from_utf8_lossy(&request.symbols[*number as usize]);
        for series in &request.timeseries {
            let pairs = series.labels_refs.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1])));
            let pairs = pairs.collect::<Vec<_>>();
            let name = pairs.iter().find(|(name, _)| name == "__name__").map_or("", |(_, v)| v);
            if !with_report && (name == "up" || name.starts_with("scrape_")) {
                continue;
            }
            let others = pairs.iter().filter(|(name, _)| name != "__name__" && name != "job");
            let others = others.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            for sample in &series.samples {
                let value = match sample.value {
                    value if is_stale(value) => "stale".to_owned(),
                    value => value.to_string(),
                };
                let labels = others.join(",");
                lines.push(format!("{name}{{{labels}}} {value}@{}", sample.timestamp));
            }
        }
    }
    lines.sort();
    lines
}

/// One scrape: what is stored but the report, or why nothing is.
fn scrape(page: &mut Page, job: &Job, time_ms: i64, body: &str) -> Result<Vec<String>, String> {
    let exposition = exposition::read(body.as_bytes(), Form::Text, BOTH)?;
    let stored = page.update(job, &target(), time_ms, &exposition);
    let (is_up, stored, err) = match stored {
        Ok(stored) => (true, stored, None),
        Err(err) => (false, page.fail(time_ms, &err), Some(err.message)),
    };
    let stored = page.report(job, &target(), time_ms, (is_up, Report::default()), stored);
    err.map_or_else(|| Ok(told(&stored.bodies, false)), Err)
}

#[test]
fn series_that_are_gone_are_ended() {
    let (job, mut page) = (job(""), Page::default());
    let first = scrape(&mut page, &job, 1000, "a 1\nb{x=\"1\"} 2\nc 3 500\n").expect("scrapes");
    assert_eq!(
        first,
        ["a{instance=i:1} 1@1000", "b{instance=i:1,x=1} 2@1000", "c{instance=i:1} 3@500"]
    );
    let second = scrape(&mut page, &job, 2000, "a 5\n").expect("scrapes");
    // What has a time of its own ends by itself.
    assert_eq!(second, ["a{instance=i:1} 5@2000", "b{instance=i:1,x=1} stale@2000"]);
    let failed = page.fail(3000, &Refused::default());
    let failed = page.report(&job, &target(), 3000, (false, Report::default()), failed);
    let lines = told(&failed.bodies, true);
    assert!(lines.contains(&"a{instance=i:1} stale@3000".to_owned()), "{lines:?}");
    assert!(lines.contains(&"up{instance=i:1} 0@3000".to_owned()), "{lines:?}");
    let closed = told(&page.close(&job, &target(), 4000), true);
    assert_eq!(closed.len(), 5, "{closed:?}");
    assert!(closed.iter().all(|line| line.ends_with("stale@4000")), "{closed:?}");
    assert!(page.close(&job, &target(), 5000).is_empty());
}

#[test]
fn the_scrape_itself_is_told_of() {
    let (job, mut page) = (
        job(
            "    extra_scrape_metrics: true\n    sample_limit: 9\n    metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n",
        ),
        Page::default(),
    );
    let exposition = exposition::read(b"a 1\nb 2\n", Form::Text, BOTH).expect("reads");
    let stored = page.update(&job, &target(), 1000, &exposition).expect("takes");
    let report = Report { seconds: 0.5, body_bytes: 8 };
    let lines = told(&page.report(&job, &target(), 1000, (true, report), stored).bodies, true);
    assert_eq!(
        lines,
        [
            "a{instance=i:1} 1@1000",
            "scrape_body_size_bytes{instance=i:1} 8@1000",
            "scrape_duration_seconds{instance=i:1} 0.5@1000",
            "scrape_sample_limit{instance=i:1} 9@1000",
            "scrape_samples_post_metric_relabeling{instance=i:1} 1@1000",
            "scrape_samples_scraped{instance=i:1} 2@1000",
            "scrape_series_added{instance=i:1} 1@1000",
            "scrape_timeout_seconds{instance=i:1} 10@1000",
            "up{instance=i:1} 1@1000",
        ]
    );
}

#[test]
fn labels_of_target_and_sample_meet() {
    let body = "a{instance=\"own\",exported_instance=\"x\",job=\"\"} 1\n";
    let plain = scrape(&mut Page::default(), &job(""), 1, body).expect("scrapes");
    assert_eq!(plain, ["a{exported_exported_instance=own,exported_instance=x,instance=i:1} 1@1"]);
    let honored = scrape(&mut Page::default(), &job("    honor_labels: true\n"), 1, body);
    assert_eq!(honored.expect("scrapes"), ["a{exported_instance=x,instance=own} 1@1"]);
    let timeless =
        scrape(&mut Page::default(), &job("    honor_timestamps: false\n"), 7, "a 1 5\n");
    assert_eq!(timeless.expect("scrapes"), ["a{instance=i:1} 1@7"]);
    let repeated = scrape(&mut Page::default(), &job(""), 1, "a 1\na 2\n").expect("scrapes");
    assert_eq!(repeated, ["a{instance=i:1} 1@1"]);
}

#[test]
fn limits_refuse_the_whole_scrape() {
    let cases = [
        ("    sample_limit: 1\n", "2 samples, sample_limit is 1"),
        ("    label_limit: 3\n", "label_limit: labels 4, the limit is 3: a"),
        (
            "    label_name_length_limit: 9\n",
            "label_name_length_limit: bytes 10, the limit is 9: a",
        ),
        (
            "    label_value_length_limit: 4\n",
            "label_value_length_limit: bytes 5, the limit is 4: a",
        ),
    ];
    let body = "a{long_label=\"12345\"} 1\nb 1\n";
    for (lines, wanted) in cases {
        let err = scrape(&mut Page::default(), &job(lines), 1, body).expect_err(lines);
        assert_eq!(err, wanted);
    }
    assert!(scrape(&mut Page::default(), &job("    sample_limit: 2\n"), 1, body).is_ok());
}
