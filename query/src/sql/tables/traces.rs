//! `traces`: one row a trace, as a view of `spans`.

/// The view. Its root is the span without parent, or the earliest one where no root is stored; spans
/// of one id and start, which only a confused sender has, are told apart by service and name.
pub(super) const SQL: &str = "
SELECT
    trace_id,
    first_value(service_name
        ORDER BY parent_span_id IS NOT NULL, start_time, span_id, service_name, name) AS root_service,
    first_value(name
        ORDER BY parent_span_id IS NOT NULL, start_time, span_id, service_name, name) AS root_name,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    CAST(max(end_time) AS BIGINT) - CAST(min(start_time) AS BIGINT) AS duration_ns,
    count(*) AS span_count,
    count(*) FILTER (WHERE status_code = 'ERROR') AS error_count,
    array_sort(array_agg(DISTINCT service_name)) AS services
FROM spans
GROUP BY trace_id";
