// A trace as columns, one entry a row in tree order: what the waterfall needs, and no attributes.
// Made in the worker of a skeleton, and handed over without copying. Notes and the times of events are
// not in a skeleton: they come with the spans in full (`addRest`), which large traces do without.
import {
  kindNumber,
  type Nanos,
  nanosBetween,
  type OtlpResource,
  type OtlpScope,
  type OtlpSpan,
  type OtlpTrace,
  readNanos,
  valueText,
} from './otlp.ts';
import type { Skeleton } from './skeleton.ts';
import { FLAG, layOutTree, type Tree } from './tree.ts';

export interface TraceTable {
  traceId: string;
  count: number;
  /** Start of the earliest span, nanoseconds since the epoch. */
  startUnixNs: bigint;
  /** From the earliest start to the latest end. */
  durationNs: number;
  services: string[];
  names: string[];
  notes: string[];
  spanIds: string[];
  /** Index into `services`. */
  service: Uint32Array;
  /** Index into `names`. */
  name: Uint32Array;
  /** Index into `notes`: a failed HTTP or gRPC status, or the database; 0 is none. */
  note: Uint32Array;
  /** Nanoseconds since the start of the trace. */
  start: Float64Array;
  duration: Float64Array;
  /** Time in which no child ran. */
  self: Float64Array;
  parent: Int32Array;
  end: Int32Array;
  depth: Int32Array;
  kind: Uint8Array;
  flags: Uint8Array;
  /** Events of row r: eventTimes[eventStart[r]] up to eventTimes[eventStart[r + 1]]. */
  eventStart: Uint32Array;
  eventTimes: Float64Array;
  /** Place in the skeleton → row. */
  rowOfPlace: Int32Array;
  /** Segments that could not be read, as the server names them; spans may be missing. */
  partial?: string;
}

/** A span with what it inherits; kept where the trace was parsed. */
export interface SourceSpan {
  span: OtlpSpan;
  resource: OtlpResource;
  scope: OtlpScope;
}

export const SERVICE_UNKNOWN = 'unknown service';

export function tableOf(traceId: string, skeleton: Skeleton): TraceTable {
  const { count, start, duration, name, service, kind, names, services } = skeleton;
  const tree = layOutTree(skeleton.parent, start, duration, skeleton.flags);
  const table: TraceTable = {
    traceId,
    count,
    startUnixNs: unixNanos(skeleton.startTime),
    durationNs: start.reduce((max, at, i) => Math.max(max, at + duration[i]), 0),
    names,
    services: services.map((service) => service || SERVICE_UNKNOWN),
    notes: [''],
    spanIds: Array.from(tree.order, (at) => skeleton.spanIds[at]),
    start: Float64Array.from(tree.order, (at) => start[at]),
    duration: Float64Array.from(tree.order, (at) => duration[at]),
    name: Uint32Array.from(tree.order, (at) => name[at]),
    service: Uint32Array.from(tree.order, (at) => service[at]),
    kind: Uint8Array.from(tree.order, (at) => kind[at]),
    note: new Uint32Array(count),
    self: new Float64Array(count),
    eventStart: new Uint32Array(count + 1),
    eventTimes: new Float64Array(),
    rowOfPlace: rowsOf(tree),
    parent: tree.parent,
    end: tree.end,
    depth: tree.depth,
    flags: tree.flags,
    partial: skeleton.partial.join(',') || undefined,
  };
  markAbove(table);
  measureSelf(table);
  return table;
}

function rowsOf({ order }: Tree): Int32Array {
  const rows = new Int32Array(order.length);
  order.forEach((place, row) => {
    rows[place] = row;
  });
  return rows;
}

function unixNanos(time: string): bigint {
  const [whole, fraction = ''] = time.replace('Z', '').split('.');
  return BigInt(Date.parse(`${whole}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

/** Which span of a whole trace belongs to each row; some may have gone since the skeleton was read. */
export function sourcesOf(table: TraceTable, trace: OtlpTrace): (SourceSpan | undefined)[] {
  const byId = new Map<string, SourceSpan[]>();
  for (const source of flatten(trace)) {
    const id = source.span.spanId ?? '';
    const known = byId.get(id);
    if (known) known.push(source);
    else byId.set(id, [source]);
  }
  return table.spanIds.map((id, row) => sourceOf(table, row, byId.get(id) ?? []));
}

/** Of the spans with the id of a row, the one that starts when the row does. */
export function sourceOf(table: TraceTable, row: number, found: SourceSpan[]): SourceSpan | undefined {
  const base = readNanos(String(table.startUnixNs));
  const starts = ({ span }: SourceSpan) => nanosBetween(base, readNanos(span.startTimeUnixNano));
  const kind = ({ span }: SourceSpan) => kindNumber(span.kind) === table.kind[row];
  const atStart = found.filter((source) => starts(source) === table.start[row]);
  return atStart.find(kind) ?? atStart[0] ?? found[0];
}

/** Adds what a skeleton does not say. */
export function addRest(table: TraceTable, sources: (SourceSpan | undefined)[]): void {
  const known = sources.map((source) => source ?? { span: {}, resource: {}, scope: {} });
  Object.assign(table, notes(known), events(known, readNanos(String(table.startUnixNs))));
}

export function flatten(trace: OtlpTrace): SourceSpan[] {
  const result: SourceSpan[] = [];
  for (const { resource = {}, scopeSpans = [] } of trace.resourceSpans ?? []) {
    for (const { scope = {}, spans = [] } of scopeSpans) {
      for (const span of spans) result.push({ span, resource, scope });
    }
  }
  return result;
}

export function notes(sources: SourceSpan[]): Pick<TraceTable, 'notes' | 'note'> {
  const texts = new Interner();
  texts.add('');
  const note = Uint32Array.from(sources, ({ span }) => texts.add(noteOf(span)));
  return { notes: texts.values, note };
}

const HTTP_STATUS = ['http.response.status_code', 'http.status_code'];
const DATABASE = ['db.system.name', 'db.system'];
const HTTP_FAILED_MIN = 400;

/** What is worth a pill in the row. */
function noteOf({ attributes }: OtlpSpan): string {
  let database = '';
  for (const { key, value } of attributes ?? []) {
    if (HTTP_STATUS.includes(key)) {
      const status = valueText(value);
      if (Number(status) >= HTTP_FAILED_MIN) return `HTTP ${status}`;
    } else if (key === 'rpc.grpc.status_code') {
      const status = valueText(value);
      if (status !== '0') return `gRPC ${status}`;
    } else if (DATABASE.includes(key)) {
      database = valueText(value);
    }
  }
  return database;
}

export class Interner {
  readonly values: string[] = [];
  private readonly places = new Map<string, number>();

  add(value: string): number {
    let place = this.places.get(value);
    if (place === undefined) {
      place = this.values.push(value) - 1;
      this.places.set(value, place);
    }
    return place;
  }
}

export function events(sources: SourceSpan[], base: Nanos): Pick<TraceTable, 'eventStart' | 'eventTimes'> {
  const eventStart = new Uint32Array(sources.length + 1);
  const times: number[] = [];
  sources.forEach(({ span }, row) => {
    for (const event of span.events ?? []) times.push(nanosBetween(base, readNanos(event.timeUnixNano)));
    eventStart[row + 1] = times.length;
  });
  return { eventStart, eventTimes: Float64Array.from(times) };
}

export function markAbove({ count, flags, parent }: TraceTable): void {
  for (let row = count - 1; row >= 0; row--) {
    if (parent[row] !== -1 && flags[row] & (FLAG.ERROR | FLAG.ERROR_BELOW))
      flags[parent[row]] |= FLAG.ERROR_BELOW;
  }
}

/** Children come in order of start, so one sweep a parent suffices: `covered` is how far it came. */
export function measureSelf({ count, start, duration, self, parent }: TraceTable): void {
  const covered = Float64Array.from(start);
  self.set(duration);
  for (let row = 0; row < count; row++) {
    const above = parent[row];
    if (above === -1) continue;
    const from = Math.max(start[row], covered[above]);
    const to = Math.min(start[row] + duration[row], start[above] + duration[above]);
    if (to <= from) continue;
    self[above] -= to - from;
    covered[above] = to;
  }
}

/** The buffers that can change hands instead of being copied. */
export function transferables(table: TraceTable): ArrayBuffer[] {
  return Object.values(table)
    .filter((value): value is Float64Array => ArrayBuffer.isView(value))
    .map((view) => view.buffer as ArrayBuffer);
}
