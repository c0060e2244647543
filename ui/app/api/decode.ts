// Answers of the API, brought into shape: what is missing becomes the neutral value.
import type { LogPage, LogRecord, Operation, ServiceCount, TracePage, TraceSummary } from './types.ts';

type Json = Record<string, unknown>;

const object = (value: unknown): Json => (value && typeof value === 'object' ? (value as Json) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const number = (value: unknown): number => {
  const result = Number(value ?? 0);
  return Number.isFinite(result) ? result : 0;
};

export function decodeTracePage(answer: unknown): TracePage {
  const page = object(answer);
  return {
    traces: list(page.traces).map(decodeSummary),
    next_cursor: text(page.next_cursor),
    stats: page.stats ? (page.stats as TracePage['stats']) : null,
  };
}

function decodeSummary(value: unknown): TraceSummary {
  const trace = object(value);
  return {
    trace_id: String(trace.trace_id ?? ''),
    root_service: text(trace.root_service) ?? 'unknown service',
    root_operation: text(trace.root_operation) ?? '(no name)',
    has_root: trace.has_root !== false,
    start_time: String(trace.start_time ?? ''),
    duration_ns: number(trace.duration_ns),
    span_count: number(trace.span_count),
    error_count: number(trace.error_count),
    matched_spans: number(trace.matched_spans),
    services: list(trace.services).map(decodeServiceCount),
  };
}

function decodeServiceCount(value: unknown): ServiceCount {
  const service = object(value);
  return {
    name: String(service.name ?? ''),
    span_count: number(service.span_count),
    error_count: number(service.error_count),
  };
}

export function decodeLogPage(answer: unknown): LogPage {
  const page = object(answer);
  return { logs: list(page.logs ?? page.records).map(decodeLog), next_cursor: text(page.next_cursor) };
}

function decodeLog(value: unknown): LogRecord {
  const log = object(value);
  return {
    time: String(log.time ?? ''),
    severity_number: number(log.severity_number),
    severity_text: text(log.severity_text) ?? '',
    body: log.body ?? '',
    span_id: text(log.span_id),
    service_name: text(log.service_name),
    attributes: object(log.attributes),
    resource_attributes: object(log.resource_attributes),
  };
}

/** A list of names, whether the server sends texts or objects with a name. */
export function decodeNames(answer: unknown, key: string): string[] {
  return list(object(answer)[key])
    .map((item) => (typeof item === 'string' ? item : (text(object(item).name) ?? text(object(item).value))))
    .filter((name): name is string => name !== null);
}

export function decodeOperations(answer: unknown): Operation[] {
  return list(object(answer).operations).map((item) =>
    typeof item === 'string'
      ? { name: item, kind: null }
      : { name: String(object(item).name ?? ''), kind: text(object(item).kind) },
  );
}

export function decodeValues(answer: unknown): string[] {
  return list(object(answer).values).map((item) => {
    const value = item && typeof item === 'object' ? object(item).value : item;
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}
