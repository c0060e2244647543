//! That the shop's stories show in its traces.

use throughline_model::time::MINUTE_NS;

use super::*;

const BEGAN_NS: i64 = 1_795_176_000_000_000_000;

// Traces of ten minutes that begin `from_minute` minutes before the demo.
fn minutes(from_minute: i64, count: i64) -> Vec<Trace> {
    let mut simulation = Simulation::new(3, Faults::from(BEGAN_NS));
    let start_ns = BEGAN_NS + from_minute * MINUTE_NS;
    let mut t_ns = start_ns;
    let mut traces = Vec::new();
    while t_ns < start_ns + count * MINUTE_NS {
        traces.push(simulation.request(t_ns));
        t_ns += simulation.pause_ns(4.0);
    }
    traces
}

fn spans<'a>(traces: &'a [Trace], name: &'a str) -> impl Iterator<Item = &'a Span> {
    traces.iter().flat_map(|trace| &trace.spans).filter(move |span| span.name == name)
}

fn mean_ms(traces: &[Trace], name: &str) -> f64 {
    let durations: Vec<i64> = spans(traces, name).map(|span| span.end_ns - span.start_ns).collect();
    durations.iter().sum::<i64>() as f64 / durations.len() as f64 / 1e6
}

fn error_share(traces: &[Trace], name: &str) -> f64 {
    let all = spans(traces, name).count() as f64;
    spans(traces, name).filter(|span| span.error.is_some()).count() as f64 / all
}

#[test]
fn faults_show_where_they_belong() {
    let charge = "shop.payment.v1.Payments/Charge";
    let (usual, burst) = (minutes(-40, 6), minutes(-48, 6));
    assert!(error_share(&usual, charge) < 0.1);
    assert!(error_share(&burst, charge) > 0.25, "{}", error_share(&burst, charge));
    let exceptions = spans(&burst, charge).flat_map(|span| &span.events);
    assert!(exceptions.filter(|event| event.name == "exception").count() > 3);
    let slow = minutes(-32, 6);
    let stock = "shop.inventory.v1.Inventory/GetStock";
    assert!(mean_ms(&slow, stock) > 5.0 * mean_ms(&usual, stock));
    let (before, after) = (minutes(-25, 8), minutes(-10, 8));
    let search = "GET /search/query";
    assert!(mean_ms(&after, search) > 1.8 * mean_ms(&before, search));
}

#[test]
fn traces_hang_together() {
    for trace in minutes(-20, 5) {
        let ids: std::collections::HashSet<u64> =
            trace.spans.iter().map(|span| span.id.span_id).collect();
        assert_eq!(ids.len(), trace.spans.len());
        for span in &trace.spans {
            assert!(span.parent.is_none_or(|parent| ids.contains(&parent)), "{span:?}");
            assert!(span.start_ns <= span.end_ns);
        }
        for log in &trace.logs {
            assert!(log.span.is_some_and(|id| ids.contains(&id.span_id)));
            assert!(!log.text.contains('{'), "{}", log.text);
        }
    }
}
