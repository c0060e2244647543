//! Log records as `LogsData`.

use opentelemetry_proto::tonic::logs::v1::{
    LogRecord as ProtoRecord, LogsData, ResourceLogs, ScopeLogs,
};
use throughline_query::logs::LogRecord;

use super::{any_value, instrumentation_scope, key_values, nanos, resource};
use crate::otlp::{ResourceGroup, ScopeGroup};

/// Grouped log records as the generated message.
pub fn logs_data(groups: &[ResourceGroup<'_, LogRecord>]) -> LogsData {
    let resource_logs = |group: &ResourceGroup<'_, LogRecord>| ResourceLogs {
        resource: resource(group.resource),
        scope_logs: group.scopes.iter().map(scope_logs).collect(),
        schema_url: group.resource.schema_url.clone(),
    };
    LogsData { resource_logs: groups.iter().map(resource_logs).collect() }
}

fn scope_logs(group: &ScopeGroup<'_, LogRecord>) -> ScopeLogs {
    ScopeLogs {
        scope: instrumentation_scope(group.scope),
        log_records: group.items.iter().map(|record| proto_record(record)).collect(),
        schema_url: group.scope.schema_url.clone(),
    }
}

fn proto_record(record: &LogRecord) -> ProtoRecord {
    ProtoRecord {
        time_unix_nano: if record.has_event_time { nanos(record.time_ns) } else { 0 },
        observed_time_unix_nano: nanos(record.observed_time_ns),
        severity_number: record.severity_number,
        severity_text: record.severity_text.clone(),
        body: record.body.as_ref().map(any_value),
        attributes: key_values(&record.attributes),
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: record.trace_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        span_id: record.span_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        event_name: record.event_name.clone(),
    }
}
