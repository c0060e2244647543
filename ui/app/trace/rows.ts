// Which rows are shown: the tree minus what lies below collapsed spans.

import type { TraceTable } from './table.ts';
import { FLAG } from './tree.ts';

export type Collapsed = ReadonlySet<number>;

export interface VisibleRows {
  rows: Int32Array;
  /** Row → place in `rows`; of a hidden row, the place of the collapsed span above it. */
  placeOf: Int32Array;
}

export function visibleRows(table: TraceTable, collapsed: Collapsed): VisibleRows {
  const rows = new Int32Array(table.count);
  const placeOf = new Int32Array(table.count);
  let shown = 0;
  for (let row = 0; row < table.count; ) {
    rows[shown] = row;
    const next = collapsed.has(row) ? table.end[row] : row + 1;
    placeOf.fill(shown, row, next);
    shown += 1;
    row = next;
  }
  return { rows: rows.subarray(0, shown), placeOf };
}

export function hasChildren(table: TraceTable, row: number): boolean {
  return table.end[row] > row + 1;
}

export function toggled(collapsed: Collapsed, row: number): Set<number> {
  const next = new Set(collapsed);
  if (!next.delete(row)) next.add(row);
  return next;
}

/** All spans with children, but the roots: the outline stays in sight. */
export function allCollapsed(table: TraceTable): Set<number> {
  const result = new Set<number>();
  for (let row = 0; row < table.count; row++) {
    if (hasChildren(table, row) && table.parent[row] !== -1) result.add(row);
  }
  return result;
}

/** The same set without the spans above a row, so that the row is shown. */
export function revealed(table: TraceTable, collapsed: Collapsed, row: number): Collapsed {
  let next: Set<number> | undefined;
  for (let at = table.parent[row]; at !== -1; at = table.parent[at]) {
    if (!collapsed.has(at)) continue;
    next ??= new Set(collapsed);
    next.delete(at);
  }
  return next ?? collapsed;
}

/** The next row after (or before) one that passes; wraps around; −1 if none does. */
export function nextRow(
  table: TraceTable,
  from: number,
  step: 1 | -1,
  passes: (row: number) => boolean,
): number {
  let row = from === -1 && step === -1 ? 0 : from;
  for (let i = 0; i < table.count; i++) {
    row = (row + step + table.count) % table.count;
    if (passes(row)) return row;
  }
  return -1;
}

export const isError = (table: TraceTable) => (row: number) => (table.flags[row] & FLAG.ERROR) !== 0;

/** Rows by start time, for stepping through what happened next. */
export function rowsByStart(table: TraceTable): Int32Array {
  return Int32Array.from({ length: table.count }, (_, row) => row).sort(
    (a, b) => table.start[a] - table.start[b] || a - b,
  );
}
