// What one can do on the trace page: select, fold, zoom, search, step; the URL keeps most of it.
import { useQuery } from '@tanstack/react-query';
import { type RefObject, useCallback, useEffect, useMemo, useState } from 'react';
import { criticalPathQuery } from '../api/queries.ts';
import { useStored } from '../lib/storage.ts';
import { criticalByRow } from './critical.ts';
import {
  allCollapsed,
  type Collapsed,
  isError,
  nextRow,
  revealed,
  rowsByStart,
  toggled,
  visibleRows,
} from './rows.ts';
import { spanKeys } from './selection.ts';
import { findQuery } from './session.ts';
import { traceFigures } from './summary.ts';
import type { TraceTable } from './table.ts';
import { useTraceLogs } from './use_logs.ts';
import { useTraceView } from './use_view.ts';
import type { WaterfallHandle } from './waterfall.tsx';

const NONE_COLLAPSED: Collapsed = new Set();

export type TraceState = ReturnType<typeof useTraceState>;

export function useTraceState(table: TraceTable, waterfall: RefObject<WaterfallHandle | null>) {
  const { view, viewport, change, setViewport } = useTraceView(table);
  const keys = useMemo(() => spanKeys(table), [table]);
  const figures = useMemo(() => traceFigures(table), [table]);
  const [collapsed, setCollapsed] = useState(NONE_COLLAPSED);
  const visible = useMemo(() => visibleRows(table, collapsed), [table, collapsed]);
  const selected = keys.rowOf(view.span);
  const logs = useTraceLogs(table, keys);
  const [criticalPath, setCriticalPath] = useStored<'shown' | 'hidden'>('critical-path', 'shown');
  const showsCritical = criticalPath === 'shown';
  const facts = useQuery(criticalPathQuery(table.traceId, showsCritical)).data;
  const critical = useMemo(
    () => (showsCritical && facts ? criticalByRow(table, facts) : undefined),
    [table, facts, showsCritical],
  );
  const find = useQuery(findQuery(table.traceId, view.q ?? ''));
  const matches = view.q ? find.data : undefined;
  const matchSet = useMemo(() => (matches ? new Set(matches) : undefined), [matches]);
  const byStart = useMemo(() => rowsByStart(table), [table]);

  // Whatever selects a span (a key, a log, a link, the URL) also brings it into sight.
  useEffect(() => {
    if (selected >= 0) setCollapsed((now) => revealed(table, now, selected));
  }, [table, selected]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: folding alone must not move the rows
  useEffect(() => {
    if (selected >= 0) waterfall.current?.reveal(visible.placeOf[selected]);
  }, [selected, waterfall]);

  const select = useCallback(
    (row: number) => change({ span: row >= 0 ? keys.keyOf(row) : undefined, tab: undefined }),
    [change, keys],
  );
  /** Keeps the tab, for stepping through logs. */
  const selectFromLogs = useCallback((row: number) => change({ span: keys.keyOf(row) }), [change, keys]);
  const toggle = useCallback((row: number) => setCollapsed((now) => toggled(now, row)), []);
  const step = (by: 1 | -1, passes: (row: number) => boolean) => {
    const row = nextRow(table, selected, by, passes);
    if (row >= 0) selectFromLogs(row);
  };
  const moveRow = (by: number) => {
    const place = selected < 0 ? (by > 0 ? -1 : visible.rows.length) : visible.placeOf[selected];
    const next = Math.min(Math.max(place + by, 0), visible.rows.length - 1);
    selectFromLogs(visible.rows[next]);
  };
  const moveInTime = (by: 1 | -1) => {
    const place = selected < 0 ? (by > 0 ? -1 : table.count) : byStart.indexOf(selected);
    selectFromLogs(byStart[(place + by + table.count) % table.count]);
  };

  return {
    table,
    view,
    viewport,
    change,
    setViewport,
    figures,
    collapsed,
    setCollapsed,
    visible,
    selected,
    logs,
    critical,
    showsCritical,
    setShowsCritical: (on: boolean) => setCriticalPath(on ? 'shown' : 'hidden'),
    matches,
    matchSet,
    matchPlace: matches ? matches.indexOf(selected) + 1 : 0,
    select: view.tab === 'logs' ? (row: number) => (row >= 0 ? selectFromLogs(row) : select(row)) : select,
    selectFromLogs,
    toggle,
    expandAll: () => setCollapsed(NONE_COLLAPSED),
    collapseAll: () => setCollapsed(allCollapsed(table)),
    moveRow,
    moveInTime,
    stepError: (by: 1 | -1) => step(by, isError(table)),
    stepMatch: (by: 1 | -1) => matchSet && step(by, (row) => matchSet.has(row)),
  };
}
