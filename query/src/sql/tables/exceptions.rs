//! `exceptions`: one row an occurrence, as a view of `span_events` and `logs`.

/// The view. An event or record is an exception if it carries a type, a message or a stack trace.
pub(super) const SQL: &str = "
SELECT
    time, service_name, type, message, stacktrace,
    exception_fingerprint(type, message, stacktrace) AS fingerprint,
    trace_id, span_id, source
FROM (
    SELECT
        time, service_name,
        attributes['exception.type'] AS type,
        attributes['exception.message'] AS message,
        attributes['exception.stacktrace'] AS stacktrace,
        trace_id, span_id, 'span' AS source
    FROM span_events
    UNION ALL
    SELECT
        time, service_name,
        attributes['exception.type'] AS type,
        attributes['exception.message'] AS message,
        attributes['exception.stacktrace'] AS stacktrace,
        trace_id, span_id, 'log' AS source
    FROM logs
)
WHERE type <> '' OR message <> '' OR stacktrace <> ''";
