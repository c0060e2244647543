//! The decoder against prost: the same verdict on any bytes, the same rows where they are well-formed.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use prost::Message;
use throughline_model::Signal;
use throughline_model::batch::Batch;
use throughline_model::span::read_spans;

use super::oracle;
use super::rows::{log_rows, metric_rows};
use super::strategies::{self, mutate, mutations};
use crate::otlp::decode::decode_request;

const RECEIVED_AT_NS: i64 = 1_750_000_000_000_000_000;

/// Rows in a form that compares NaN with NaN and tells -0 from 0.
fn shown(rows: &impl std::fmt::Debug) -> String {
    format!("{rows:#?}")
}

/// Decodes `request` and compares verdict and rows with the oracle's.
pub fn check(signal: Signal, request: &[u8]) -> TestCaseResult {
    let ours = decode_request(signal, request, RECEIVED_AT_NS);
    let expected = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::traces(&request);
            (shown(&rows), rejected)
        }),
        Signal::Logs => ExportLogsServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::logs(&request, RECEIVED_AT_NS);
            (shown(&rows), rejected)
        }),
        Signal::Metrics => ExportMetricsServiceRequest::decode(request).map(|request| {
            let (rows, rejected) = oracle::metrics(&request);
            (shown(&rows), rejected)
        }),
    };
    match (ours, expected) {
        (Ok(ours), Ok((rows, rejected))) => {
            let our_rows = match &ours.batch {
                Batch::Spans(batch) => shown(&read_spans(batch).expect("reads back")),
                Batch::Logs(batch) => shown(&log_rows(batch)),
                Batch::Metrics(batch) => shown(&metric_rows(batch)),
            };
            prop_assert_eq!(our_rows, rows);
            prop_assert_eq!(ours.rejected, rejected);
            prop_assert_eq!(ours.message.is_empty(), rejected == 0);
        }
        (Err(_), Err(_)) => {}
        (Ok(_), Err(err)) => prop_assert!(false, "prost refuses, we do not: {}", err),
        (Err(err), Ok(_)) => prop_assert!(false, "prost does not refuse, we do: {}", err),
    }
    Ok(())
}

/// Mutated requests, and what becomes of the change of one byte to each other value.
fn check_mutated(
    signal: Signal,
    mut bytes: Vec<u8>,
    changes: &[(f64, strategies::Mutation)],
) -> TestCaseResult {
    mutate(&mut bytes, changes);
    check(signal, &bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn traces_equal_prost(request in strategies::traces()) {
        check(Signal::Traces, &request.encode_to_vec())?;
    }

    #[test]
    fn logs_equal_prost(request in strategies::logs()) {
        check(Signal::Logs, &request.encode_to_vec())?;
    }

    #[test]
    fn metrics_equal_prost(request in strategies::metrics()) {
        check(Signal::Metrics, &request.encode_to_vec())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn mutated_traces_equal_prost(request in strategies::traces(), changes in mutations()) {
        check_mutated(Signal::Traces, request.encode_to_vec(), &changes)?;
    }

    #[test]
    fn mutated_logs_equal_prost(request in strategies::logs(), changes in mutations()) {
        check_mutated(Signal::Logs, request.encode_to_vec(), &changes)?;
    }

    #[test]
    fn mutated_metrics_equal_prost(request in strategies::metrics(), changes in mutations()) {
        check_mutated(Signal::Metrics, request.encode_to_vec(), &changes)?;
    }

    #[test]
    fn any_bytes_equal_prost(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for signal in Signal::ALL {
            check(signal, &bytes)?;
        }
    }
}

/// Every NaN keeps its bits, which the Debug text cannot show.
#[test]
fn nan_bits_are_kept() {
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
    };
    use throughline_model::metric::Number;
    let bits = 0x7ff0_0000_0000_0002u64; // Prometheus' stale marker
    let point = NumberDataPoint {
        value: Some(number_data_point::Value::AsDouble(f64::from_bits(bits))),
        ..Default::default()
    };
    let data = Some(metric::Data::Gauge(Gauge { data_points: vec![point] }));
    let metrics = vec![Metric { name: "m".into(), data, ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
    let request = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    let decoded = decode_request(Signal::Metrics, &request, 0).expect("well-formed");
    let Batch::Metrics(batch) = decoded.batch else { panic!("metrics expected") };
    match metric_rows(&batch).numbers[0].value {
        Number::Double(number) => assert_eq!(number.to_bits(), bits),
        other => panic!("{other:?}"),
    }
}
