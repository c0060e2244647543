// Geometry of one bar of the waterfall, in percent of the width of the time line.
import type { TraceTable } from './table.ts';
import { percent, type Viewport } from './viewport.ts';

export interface Segment {
  left: number;
  width: number;
}

/** Children beyond this many are not looked at for the self-time segments of one bar. */
const CHILDREN_MAX = 400;
/** Finer parts than this cannot be seen. */
const SEGMENT_MIN_PERCENT = 0.08;

/** The bar inside the viewport; undefined if none of it is in sight. */
export function barSegment(table: TraceTable, row: number, viewport: Viewport): Segment | undefined {
  const from = percent(viewport, table.start[row]);
  const to = percent(viewport, table.start[row] + table.duration[row]);
  if (to < 0 || from > 100) return undefined;
  const left = Math.max(from, -1);
  return { left, width: Math.max(Math.min(to, 101) - left, 0) };
}

/** The parts of a bar in which no child ran, relative to the bar (percent of it). */
export function selfSegments(table: TraceTable, row: number, bar: Segment, viewport: Viewport): Segment[] {
  const result: Segment[] = [];
  if (bar.width <= 0) return result;
  const add = (from: number, to: number) => {
    const left = Math.max(percent(viewport, from), bar.left);
    const right = Math.min(percent(viewport, to), bar.left + bar.width);
    if (right - left < SEGMENT_MIN_PERCENT) return;
    result.push({ left: ((left - bar.left) / bar.width) * 100, width: ((right - left) / bar.width) * 100 });
  };
  let covered = table.start[row];
  const end = table.start[row] + table.duration[row];
  let looked = 0;
  for (let child = row + 1; child < table.end[row] && looked < CHILDREN_MAX; child = table.end[child]) {
    if (table.start[child] > covered) add(covered, Math.min(table.start[child], end));
    covered = Math.max(covered, table.start[child] + table.duration[child]);
    looked += 1;
  }
  if (looked < CHILDREN_MAX && covered < end) add(covered, end);
  return result;
}

export type LabelPlace = { left: string } | { right: string };

/** The duration stands right of its bar, or left of it near the right edge, or inside a long one. */
export function labelPlace(bar: Segment): LabelPlace & { inside: boolean } {
  const end = bar.left + bar.width;
  if (end < 86) return { left: `calc(${Math.max(end, 0)}% + 6px)`, inside: false };
  if (bar.left > 14) return { right: `calc(${100 - bar.left}% + 5px)`, inside: false };
  return { right: `calc(${Math.max(100 - end, 0)}% + 6px)`, inside: true };
}
