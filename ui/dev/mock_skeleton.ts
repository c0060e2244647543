// Development only: a trace's skeleton in bytes and its critical path, as the server answers them.
import { type OtlpTrace, statusCode } from '../app/trace/otlp.ts';
import { FLAG } from '../app/trace/tree.ts';
import { rfc3339 } from './mock_traces.ts';
import { type ParsedTrace, parseTrace } from './whole_trace.ts';

const NAMES_OF_BITS: [number, number][] = [
  [FLAG.ORPHAN, 2],
  [FLAG.ERROR, 4],
  [FLAG.CYCLE, 128],
];

/** The bytes of GET /api/v1/traces/{id}/skeleton; the layout: docs/trace-page.md. */
export function skeletonBytes(traceId: string, trace: OtlpTrace): Uint8Array {
  const { table, sources } = parseTrace(traceId, trace);
  const { count } = table;
  const text = JSON.stringify({
    trace_id: traceId,
    start_time: rfc3339(table.startUnixNs),
    duration_ns: table.durationNs,
    names: table.names,
    services: table.services,
    clocks: [''],
    partial: [],
  });
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const ids = BigUint64Array.from(table.spanIds, (id) => BigInt(`0x${id || '0'}`));
  const idBytes = new Uint8Array(count * 8);
  ids.forEach((id, row) => {
    new DataView(idBytes.buffer).setBigUint64(row * 8, id);
  });
  const bits = Uint16Array.from(table.flags, (flags, row) => flagBits({ table, sources }, flags, row));
  const columns: ArrayBufferView[] = [
    idBytes,
    table.start,
    table.duration,
    table.parent,
    table.name,
    table.service,
    new Uint32Array(count),
    bits,
    table.kind,
    Uint8Array.from(sources, ({ span }) => statusCode(span)),
  ];
  const parts = [new Uint8Array(Uint32Array.of(1, count, header.length).buffer), header];
  return joined([new TextEncoder().encode('TLSK'), ...parts], columns);
}

function flagBits({ table }: ParsedTrace, flags: number, row: number): number {
  const parent = table.parent[row];
  const late = parent !== -1 && table.start[row] > table.start[parent] + table.duration[parent];
  const known = NAMES_OF_BITS.filter(([flag]) => flags & flag).map(([, bit]) => bit);
  return known.reduce((all, bit) => all | bit, late ? 32 : 0);
}

function joined(parts: Uint8Array[], columns: ArrayBufferView[]): Uint8Array {
  const padded = columns.map((column) => {
    const bytes = new Uint8Array(Math.ceil(column.byteLength / 8) * 8);
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
    return bytes;
  });
  const all = [...parts, ...padded];
  const out = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The facts that the page asks for: the child that ended last, again and again. */
export function criticalFacts(traceId: string, trace: OtlpTrace) {
  const { table } = parseTrace(traceId, trace);
  const pieces: [span: number, from: number, to: number][] = [];
  const walk = (row: number, from: number, to: number, depth: number) => {
    const children: number[] = [];
    for (let child = row + 1; child < table.end[row]; child = table.end[child]) children.push(child);
    const endOf = (child: number) => Math.min(table.start[child] + table.duration[child], to);
    children.sort((a, b) => endOf(b) - endOf(a));
    let at = to;
    for (const child of children) {
      const start = Math.max(table.start[child], from);
      if (endOf(child) > at || endOf(child) <= start || depth > 500) continue;
      if (endOf(child) < at) pieces.push([row, endOf(child), at]);
      walk(child, start, endOf(child), depth + 1);
      at = start;
    }
    if (from < at) pieces.push([row, from, at]);
  };
  if (table.count > 0) walk(0, table.start[0], table.start[0] + table.duration[0], 0);
  pieces.reverse();
  return {
    critical_path: {
      span: pieces.map(([span]) => span),
      from_ns: pieces.map(([, from]) => from),
      to_ns: pieces.map(([, , to]) => to),
    },
    skew: { span: [], shift_ns: [], pairs: [] },
  };
}
