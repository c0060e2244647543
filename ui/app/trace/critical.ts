// The critical path as the server tells it, by row of the table.
import type { TraceTable } from './table.ts';

export interface CriticalFacts {
  critical_path: { span: number[]; from_ns: number[]; to_ns: number[] };
  skew: { span: number[]; shift_ns: number[] };
}

/** Nanoseconds since the start of the trace, as the bars stand: [from, to, from, to, …]. */
export type CriticalPath = ReadonlyMap<number, number[]>;

export function criticalByRow(table: TraceTable, facts: CriticalFacts): CriticalPath {
  const { span, from_ns, to_ns } = facts.critical_path;
  // The path is of adjusted times, the bars are as sent.
  const shifts = new Map(facts.skew.span.map((place, at) => [place, Number(facts.skew.shift_ns[at])]));
  const path = new Map<number, number[]>();
  span.forEach((place, at) => {
    if (place < 0) return;
    const row = table.rowOfPlace[place];
    const shift = shifts.get(place) ?? 0;
    const pieces = path.get(row) ?? [];
    pieces.push(Number(from_ns[at]) - shift, Number(to_ns[at]) - shift);
    path.set(row, pieces);
  });
  return path;
}
