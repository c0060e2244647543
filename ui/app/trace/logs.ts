// The logs of a trace, put on its time line and to its rows.
import type { LogRecord } from '../api/types.ts';
import { parseTimeNs } from '../lib/format.ts';
import type { SpanKeys } from './selection.ts';
import type { TraceTable } from './table.ts';

export type Severity = 'error' | 'warn' | 'info' | 'debug';

export interface TraceLog {
  /** Nanoseconds since the start of the trace; may lie outside it. */
  offsetNs: number;
  /** −1 if its span is not in the trace. */
  row: number;
  severity: Severity;
  severityText: string;
  body: string;
  service: string;
  record: LogRecord;
}

export function alignLogs(table: TraceTable, keys: SpanKeys, records: LogRecord[]): TraceLog[] {
  return records
    .map((record) => ({
      offsetNs: Number(parseTimeNs(record.time) - table.startUnixNs),
      row: record.span_id ? keys.rowOfId(record.span_id) : -1,
      severity: severityOf(record),
      severityText: record.severity_text || severityName(record.severity_number),
      body: typeof record.body === 'string' ? record.body : JSON.stringify(record.body),
      service: record.service_name ?? '',
      record,
    }))
    .sort((a, b) => a.offsetNs - b.offsetNs);
}

export function severityOf({ severity_number: number, severity_text: text }: LogRecord): Severity {
  if (number >= 17) return 'error';
  if (number >= 13) return 'warn';
  if (number >= 9) return 'info';
  if (number > 0) return 'debug';
  if (/^(err|fatal|crit|alert|emerg|panic)/i.test(text)) return 'error';
  return /^warn/i.test(text) ? 'warn' : /^(debug|trace)/i.test(text) ? 'debug' : 'info';
}

const SEVERITY_NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

function severityName(number: number): string {
  return number > 0 ? (SEVERITY_NAMES[Math.floor((number - 1) / 4)] ?? '') : '';
}

export function logsByRow(logs: TraceLog[]): Map<number, TraceLog[]> {
  const result = new Map<number, TraceLog[]>();
  for (const log of logs) {
    if (log.row === -1) continue;
    const known = result.get(log.row);
    if (known) known.push(log);
    else result.set(log.row, [log]);
  }
  return result;
}
