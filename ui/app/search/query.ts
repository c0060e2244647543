// What a trace search asks: read from the URL, written to it, and turned into parameters of the API.
import type { SearchSchemaInput } from '@tanstack/react-router';
import type { Params } from '../api/client.ts';
import { parseDuration } from '../lib/format.ts';
import { many, one } from '../lib/search_params.ts';
import { type Interval, RANGE_ALL, type TimeRange } from '../lib/time_range.ts';

export interface TraceQuery extends TimeRange {
  service?: string;
  operation?: string;
  /** As typed: `http.status_code>=500`. */
  filter: string[];
  /** As typed: "250ms". */
  min?: string;
  max?: string;
  status?: 'error';
  limit?: number;
}

export const LIMIT_DEFAULT = 50;
export const LIMITS = [20, 50, 100, 200, 500];

/** Never fails: what cannot be read is left out, and the filter bar shows what is in force. */
export function readTraceQuery(raw: Partial<TraceQuery> & SearchSchemaInput): TraceQuery {
  const limit = Number(one(raw.limit));
  const query: TraceQuery = {
    service: one(raw.service),
    operation: one(raw.operation),
    filter: many(raw.filter),
    min: durationText(raw.min),
    max: durationText(raw.max),
    status: one(raw.status) === 'error' ? 'error' : undefined,
    range: one(raw.range),
    start: one(raw.start),
    end: one(raw.end),
    limit: LIMITS.includes(limit) ? limit : undefined,
  };
  if (query.start && query.end) query.range = undefined;
  return dropUndefined(query);
}

function durationText(value: unknown): string | undefined {
  const text = one(value);
  return text !== undefined && parseDuration(text) !== undefined ? text : undefined;
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

/** The parameters of GET /api/v1/traces. */
export function traceParams(query: TraceQuery, interval: Interval | undefined): Params {
  return {
    service: query.service,
    operation: query.operation,
    filter: query.filter,
    min_duration: durationParam(query.min),
    max_duration: durationParam(query.max),
    status: query.status,
    start: new Date(interval?.startMs ?? 0).toISOString(),
    end:
      interval && query.range !== RANGE_ALL && query.end ? new Date(interval.endMs).toISOString() : undefined,
    limit: query.limit ?? LIMIT_DEFAULT,
  };
}

function durationParam(text: string | undefined): string | undefined {
  const ns = text === undefined ? undefined : parseDuration(text);
  return ns === undefined ? undefined : `${ns}ns`;
}

/** Whether anything but the time range narrows the search. */
export function isNarrowed(query: TraceQuery): boolean {
  return !!(
    query.service ||
    query.operation ||
    query.filter.length ||
    query.min ||
    query.max ||
    query.status
  );
}
