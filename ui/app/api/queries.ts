// Every question to the API, with its cache key.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { resolveRange } from '../lib/time_range.ts';
import { type TraceQuery, traceParams } from '../search/query.ts';
import type { CriticalFacts } from '../trace/critical.ts';
import { apiGet } from './client.ts';
import { decodeLogPage, decodeNames, decodeOperations, decodeTracePage, decodeValues } from './decode.ts';
import type { Status } from './types.ts';

const STATUS_EVERY_MS = 15_000;
const NAMES_FRESH_MS = 60_000;
const LOG_PAGE_ROWS = 1_000;
const COMPLETIONS_MAX = 50;

export function statusQuery() {
  return queryOptions({
    queryKey: ['status'],
    queryFn: async ({ signal }) => (await apiGet('status', {}, signal)) as Status,
    refetchInterval: STATUS_EVERY_MS,
    retry: false,
  });
}

export function servicesQuery() {
  return queryOptions({
    queryKey: ['services'],
    queryFn: async ({ signal }) => decodeNames(await apiGet('services', {}, signal), 'services').sort(),
    staleTime: NAMES_FRESH_MS,
  });
}

export function operationsQuery(service: string | undefined) {
  return queryOptions({
    queryKey: ['operations', service],
    queryFn: async ({ signal }) => {
      const path = `services/${encodeURIComponent(service ?? '')}/operations`;
      return [
        ...new Set(decodeOperations(await apiGet(path, {}, signal)).map((operation) => operation.name)),
      ].sort();
    },
    enabled: !!service,
    staleTime: NAMES_FRESH_MS,
  });
}

export function attributeNamesQuery(prefix: string, enabled: boolean) {
  return queryOptions({
    queryKey: ['attributes', prefix],
    queryFn: async ({ signal }) => {
      const params = { signal: 'traces', prefix, limit: COMPLETIONS_MAX };
      return decodeNames(await apiGet('attributes', params, signal), 'attributes');
    },
    enabled,
    staleTime: NAMES_FRESH_MS,
    placeholderData: keepPreviousData,
  });
}

export function attributeValuesQuery(key: string, prefix: string, enabled: boolean) {
  return queryOptions({
    queryKey: ['attribute-values', key, prefix],
    queryFn: async ({ signal }) => {
      const path = `attributes/${encodeURIComponent(key)}/values`;
      const params = { signal: 'traces', prefix, limit: COMPLETIONS_MAX };
      return decodeValues(await apiGet(path, params, signal));
    },
    enabled,
    staleTime: NAMES_FRESH_MS,
    placeholderData: keepPreviousData,
  });
}

interface SearchPageParam {
  cursor?: string;
  /** The moment that "last hour" counts from: the same for all pages of one search. */
  nowMs: number;
}

export function tracesQuery(query: TraceQuery) {
  return infiniteQueryOptions({
    queryKey: ['traces', query],
    queryFn: async ({ pageParam, signal }) => {
      const nowMs = pageParam.nowMs || Date.now();
      const interval = resolveRange(query, nowMs);
      const params = { ...traceParams(query, interval), cursor: pageParam.cursor };
      return { ...decodeTracePage(await apiGet('traces', params, signal)), nowMs, interval };
    },
    initialPageParam: { nowMs: 0 } as SearchPageParam,
    getNextPageParam: (page): SearchPageParam | undefined =>
      page.next_cursor ? { cursor: page.next_cursor, nowMs: page.nowMs } : undefined,
    placeholderData: keepPreviousData,
    staleTime: NAMES_FRESH_MS,
  });
}

/** Whether the server holds any trace at all; asked when a search found none. */
export function anyTraceQuery(enabled: boolean) {
  return queryOptions({
    queryKey: ['any-trace'],
    queryFn: async ({ signal }) => {
      const params = traceParams({ filter: [], range: 'all', limit: 1 }, undefined);
      return decodeTracePage(await apiGet('traces', params, signal)).traces.length > 0;
    },
    enabled,
    staleTime: 0,
  });
}

/** Whom the root of a trace waits for, when. */
export function criticalPathQuery(traceId: string, enabled: boolean) {
  return queryOptions({
    queryKey: ['critical-path', traceId],
    queryFn: async ({ signal }) => {
      const params = { include: 'critical_path,skew' };
      return (await apiGet(`traces/${traceId}/facts`, params, signal)) as CriticalFacts;
    },
    enabled,
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function traceLogsQuery(traceId: string) {
  return infiniteQueryOptions({
    queryKey: ['trace-logs', traceId],
    queryFn: async ({ pageParam, signal }) => {
      const params = { limit: LOG_PAGE_ROWS, cursor: pageParam };
      return decodeLogPage(await apiGet(`traces/${traceId}/logs`, params, signal));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}
