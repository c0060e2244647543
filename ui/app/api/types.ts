// The wire types of the native API (/api/v1) as this app reads them. Fields it does not use are left out.

export interface ServiceCount {
  name: string;
  span_count: number;
  error_count: number;
}

export interface TraceSummary {
  trace_id: string;
  /** Service and name of the root, or of the earliest span where no root is stored. */
  root_service: string;
  root_operation: string;
  has_root: boolean;
  /** RFC 3339 with nanoseconds. */
  start_time: string;
  duration_ns: number;
  span_count: number;
  error_count: number;
  matched_spans: number;
  services: ServiceCount[];
}

export interface QueryStats {
  rows_scanned?: number;
  bytes_read?: number;
  elapsed_ms?: number;
  partial?: string[];
}

export interface TracePage {
  traces: TraceSummary[];
  next_cursor: string | null;
  stats: QueryStats | null;
}

export interface LogRecord {
  time: string;
  severity_number: number;
  severity_text: string;
  body: unknown;
  span_id: string | null;
  service_name: string | null;
  attributes: Record<string, unknown>;
  resource_attributes: Record<string, unknown>;
}

export interface LogPage {
  logs: LogRecord[];
  next_cursor: string | null;
}

export interface Operation {
  name: string;
  kind: string | null;
}

export interface Status {
  /** Anything the server says about itself; the shell reads a few fields if they are there. */
  [key: string]: unknown;
}

/** application/problem+json. */
export interface Problem {
  title?: string;
  detail?: string;
  status?: number;
  field?: string;
  value?: unknown;
  limit?: unknown;
}
