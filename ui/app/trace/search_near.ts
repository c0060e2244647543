// A search for traces like this one, around its time.
import type { TraceQuery } from '../search/query.ts';
import type { TraceTable } from './table.ts';

const AROUND_MS = 30 * 60_000;
/** Younger traces are searched for in the default range, which stays true as time goes on. */
const RECENT_MS = 50 * 60_000;

export function searchNear(table: TraceTable, filter: string): Pick<TraceQuery, 'filter' | 'start' | 'end'> {
  const startMs = Number(table.startUnixNs / 1_000_000n);
  if (Math.abs(Date.now() - startMs) < RECENT_MS) return { filter: [filter] };
  const endMs = startMs + table.durationNs / 1e6;
  return {
    filter: [filter],
    start: new Date(startMs - AROUND_MS).toISOString(),
    end: new Date(endMs + AROUND_MS).toISOString(),
  };
}
