//! SQL questions about the small shop of [`crate::sql`] with their answers; `{1}` and `{2}` stand for
//! the ids of its traces.

/// A question and its rows.
pub type Case = (&'static str, &'static [&'static str]);

/// Columns, ids, times, joins and views.
pub const COLUMNS: &[Case] = &[
    ("SELECT count(*) FROM spans", &["3"]),
    ("SELECT count(*) AS n FROM logs WHERE trace_id IS NULL", &["1"]),
    (
        "SELECT service_name, count(*) FROM spans GROUP BY 1 ORDER BY 1",
        &["db|1", "payment|1", "shop|1"],
    ),
    ("SELECT name FROM spans WHERE kind = 'CLIENT' AND status_code = 'ERROR'", &["charge"]),
    (
        "SELECT kind, kind_number, status_code, status_code_number, status_message FROM spans \
          WHERE name = 'charge'",
        &["CLIENT|3|ERROR|2|card refused"],
    ),
    (
        "SELECT span_id FROM spans WHERE trace_id = '{1}' ORDER BY span_id",
        &["cdcdcdcdcdcdcd01", "cdcdcdcdcdcdcd02"],
    ),
    ("SELECT count(*) FROM spans WHERE trace_id = x'{1}'", &["2"]),
    ("SELECT count(*) FROM spans WHERE trace_id IN ('{1}', '{2}')", &["3"]),
    // The same id twice once made the reader of segments panic.
    ("SELECT count(*) FROM spans WHERE trace_id IN ('{1}', '{2}', '{1}', '{1}')", &["3"]),
    ("SELECT count(*) FROM spans WHERE trace_id <> '{1}'", &["1"]),
    ("SELECT count(*) FROM spans WHERE trace_id LIKE 'abab%01'", &["2"]),
    ("SELECT name FROM spans WHERE parent_span_id IS NULL", &["POST /checkout"]),
    (
        "SELECT child.name FROM spans child JOIN spans parent ON child.parent_span_id = parent.span_id \
          AND child.trace_id = parent.trace_id",
        &["charge"],
    ),
    (
        "SELECT l.body FROM logs l JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id",
        &["Card refused: limit"],
    ),
    ("SELECT count(*) FROM span_events WHERE service_name = 'shop'", &["0"]),
    ("SELECT linked_span_id, linked_trace_state FROM span_links", &["cdcdcdcdcdcdcd08|a=b"]),
    (
        "SELECT root_service, root_name, span_count, error_count, duration_ns, services FROM traces \
          WHERE span_count > 1",
        &["shop|POST /checkout|2|1|120000000|[payment, shop]"],
    ),
    ("SELECT root_service FROM traces WHERE trace_id = '{2}'", &["db"]),
    ("SELECT name FROM spans ORDER BY start_time DESC LIMIT 2", &["query", "charge"]),
    ("SELECT name FROM spans WHERE start_time >= now() - INTERVAL '6 minutes'", &["query"]),
    (
        "SELECT name FROM spans WHERE start_time < '2026-11-20T11:51:00Z' ORDER BY name",
        &["POST /checkout", "charge"],
    ),
    (
        "SELECT start_time, end_time - start_time = INTERVAL '3 milliseconds' FROM spans WHERE name = 'query'",
        &["2026-11-20T11:55:00.003Z|true"],
    ),
    ("SELECT count(*) FROM logs WHERE body ILIKE '%REFUSED%'", &["1"]),
    ("SELECT count(*) FROM logs WHERE has_word(body, 'REFUSED')", &["1"]),
    ("SELECT count(*) FROM logs WHERE has_word(body, 'refuse')", &["0"]),
    ("SELECT count(*) FROM logs WHERE has_prefix(body, 'refuse')", &["1"]),
    ("SELECT count(*) FROM logs WHERE template_id IS NULL", &["0"]),
    (
        "SELECT array_agg(DISTINCT trace_id ORDER BY trace_id)[1] = trace_id FROM spans WHERE kind = 'INTERNAL' GROUP BY trace_id",
        &["true"],
    ),
];

/// Attribute sets.
pub const ATTRIBUTES: &[Case] = &[
    (
        "SELECT attributes['http.status_code'], attributes['none'] FROM spans WHERE name LIKE 'POST%'",
        &["500|-"],
    ),
    ("SELECT name FROM spans WHERE attributes['http.status_code'] = '500'", &["POST /checkout"]),
    (
        "SELECT name FROM spans WHERE attr_int(attributes, 'http.status_code') >= 500",
        &["POST /checkout"],
    ),
    ("SELECT name FROM spans WHERE attributes['user'] <> 'bob'", &["POST /checkout"]),
    (
        "SELECT attr_float(attributes,'amount') * 2, attr_bool(attributes,'retry'), \
          attr_int(attributes,'amount') FROM spans WHERE name = 'charge'",
        &["25.0|true|-"],
    ),
    (
        "SELECT resource_attributes['host'], scope_attributes['scope.kind'], scope_name, scope_version \
          FROM spans WHERE name = 'charge'",
        &["a1|library|test|1.2"],
    ),
    (
        "SELECT attributes, resource_attributes FROM spans WHERE name = 'charge'",
        &[r#"{"amount":12.5,"retry":true}|{"host":"a1","service.name":"payment"}"#],
    ),
    (
        "SELECT x['user'] FROM (SELECT attributes AS x FROM spans) WHERE x['user'] IS NOT NULL",
        &["ann"],
    ),
    (
        "SELECT attributes['user'] u, count(*) FROM spans GROUP BY attributes['user'] ORDER BY u NULLS LAST",
        &["ann|1", "-|2"],
    ),
    (
        "SELECT trace_id, span_name, name, attributes['event.kind'], dropped_attributes_count FROM span_events",
        &["ababababababababababababababab01|charge|exception|note|1"],
    ),
    (
        "SELECT time, severity_number, severity_text, body, attributes['user'] FROM logs ORDER BY time",
        &[
            "2026-11-20T11:50:00Z|17|ERROR|Card refused: limit|-",
            r#"2026-11-20T11:51:00Z|9|INFO|{"a":1}|bob"#,
        ],
    ),
];
