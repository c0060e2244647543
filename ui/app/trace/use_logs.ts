import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { traceLogsQuery } from '../api/queries.ts';
import { alignLogs, logsByRow, type TraceLog } from './logs.ts';
import type { SpanKeys } from './selection.ts';
import type { TraceTable } from './table.ts';

export interface TraceLogs {
  all: TraceLog[];
  byRow: Map<number, TraceLog[]>;
  loading: boolean;
  error: unknown;
  hasMore: boolean;
  loadingMore: boolean;
  loadMore: () => void;
}

export function useTraceLogs(table: TraceTable, keys: SpanKeys): TraceLogs {
  const query = useInfiniteQuery(traceLogsQuery(table.traceId));
  const all = useMemo(
    () => alignLogs(table, keys, query.data?.pages.flatMap((page) => page.logs) ?? []),
    [table, keys, query.data],
  );
  const byRow = useMemo(() => logsByRow(all), [all]);
  return {
    all,
    byRow,
    loading: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    loadMore: () => void query.fetchNextPage(),
  };
}
