// A span's key in the URL: its id; where spans share an id, "~2" and so on for those after the first.
import type { TraceTable } from './table.ts';
import { FLAG } from './tree.ts';

export interface SpanKeys {
  keyOf: (row: number) => string;
  /** −1 for a key that is not in the trace. */
  rowOf: (key: string | undefined) => number;
  /** The first row with this span id, or −1. */
  rowOfId: (spanId: string) => number;
}

export function spanKeys(table: TraceTable): SpanKeys {
  const rows = new Map<string, number>();
  const special = new Map<number, string>();
  for (let row = 0; row < table.count; row++) {
    const id = table.spanIds[row];
    if (!rows.has(id)) rows.set(id, row);
    else if (table.flags[row] & FLAG.DUPLICATE || rows.get(id) !== row) addRepeat(rows, special, id, row);
  }
  return {
    keyOf: (row) => special.get(row) ?? table.spanIds[row] ?? '',
    rowOf: (key) => (key === undefined ? -1 : (rows.get(key) ?? -1)),
    rowOfId: (spanId) => rows.get(spanId) ?? -1,
  };
}

function addRepeat(rows: Map<string, number>, special: Map<number, string>, id: string, row: number): void {
  let repeat = special.size + 2;
  while (rows.has(`${id}~${repeat}`)) repeat += 1;
  const key = `${id}~${repeat}`;
  rows.set(key, row);
  special.set(row, key);
}
