// The trace in figures: for the header and for the panel while no span is selected.

import type { TraceTable } from './table.ts';
import { FLAG } from './tree.ts';

export interface ServiceSummary {
  name: string;
  spans: number;
  errors: number;
  selfNs: number;
}

export interface TraceFigures {
  /** The row that stands for the trace: the first true root, else the first row. */
  root: number;
  errors: number;
  depth: number;
  orphans: number;
  cycles: number;
  duplicates: number;
  late: number;
  services: ServiceSummary[];
}

export function traceFigures(table: TraceTable): TraceFigures {
  const services = table.services.map((name) => ({ name, spans: 0, errors: 0, selfNs: 0 }));
  const figures: TraceFigures = {
    root: 0,
    errors: 0,
    depth: 0,
    orphans: 0,
    cycles: 0,
    duplicates: 0,
    late: 0,
    services,
  };
  let root = -1;
  for (let row = 0; row < table.count; row++) {
    const flags = table.flags[row];
    const service = services[table.service[row]];
    service.spans += 1;
    service.selfNs += table.self[row];
    figures.depth = Math.max(figures.depth, table.depth[row] + 1);
    if (flags & FLAG.ERROR) {
      service.errors += 1;
      figures.errors += 1;
    }
    if (flags & FLAG.ORPHAN) figures.orphans += 1;
    if (flags & FLAG.CYCLE) figures.cycles += 1;
    if (flags & FLAG.DUPLICATE) figures.duplicates += 1;
    if (flags & FLAG.LATE) figures.late += 1;
    if (root === -1 && table.parent[row] === -1 && !(flags & (FLAG.ORPHAN | FLAG.CYCLE))) root = row;
  }
  figures.root = Math.max(root, 0);
  services.sort((a, b) => b.selfNs - a.selfNs || b.spans - a.spans);
  return figures;
}
