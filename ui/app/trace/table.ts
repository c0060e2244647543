// A trace as columns, one entry a row in tree order: what the waterfall needs, and no attributes.
// Made in the worker and handed over without copying; the rest of each span stays there.
import {
  attributeText,
  kindNumber,
  type Nanos,
  nanosBetween,
  type OtlpResource,
  type OtlpScope,
  type OtlpSpan,
  type OtlpTrace,
  readNanos,
  statusCode,
  valueText,
} from './otlp.ts';
import { buildTree, FLAG, type Tree } from './tree.ts';

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
  /** Segments that could not be read, as the server names them; spans may be missing. */
  partial?: string;
}

/** A span with what it inherits; kept where the trace was parsed. */
export interface SourceSpan {
  span: OtlpSpan;
  resource: OtlpResource;
  scope: OtlpScope;
}

export interface ParsedTrace {
  table: TraceTable;
  /** By row. */
  sources: SourceSpan[];
}

export const SERVICE_UNKNOWN = 'unknown service';

export function parseTrace(traceId: string, trace: OtlpTrace): ParsedTrace {
  const spans = flatten(trace);
  const times = spans.map(({ span }) => readNanos(span.startTimeUnixNano));
  const base = times.reduce(earlier, times[0] ?? { seconds: 0, nanos: 0 });
  const start = Float64Array.from(times, (time) => nanosBetween(base, time));
  const duration = Float64Array.from(spans, ({ span }, i) =>
    Math.max(0, nanosBetween(times[i], readNanos(span.endTimeUnixNano ?? span.startTimeUnixNano))),
  );
  const kind = Uint8Array.from(spans, ({ span }) => kindNumber(span.kind));
  const ids = spans.map(({ span }) => span.spanId ?? '');
  const parentIds = spans.map(({ span }) => parentId(span));
  const tree = buildTree({ ids, parentIds, start, duration, kind });
  const sources = Array.from(tree.order, (at) => spans[at]);
  const table: TraceTable = {
    traceId,
    count: spans.length,
    startUnixNs: BigInt(base.seconds) * 1_000_000_000n + BigInt(base.nanos),
    durationNs: start.reduce((max, at, i) => Math.max(max, at + duration[i]), 0),
    spanIds: sources.map(({ span }) => span.spanId ?? ''),
    start: Float64Array.from(tree.order, (at) => start[at]),
    duration: Float64Array.from(tree.order, (at) => duration[at]),
    kind: Uint8Array.from(tree.order, (at) => kind[at]),
    self: new Float64Array(spans.length),
    parent: tree.parent,
    end: tree.end,
    depth: tree.depth,
    flags: tree.flags,
    ...names(sources),
    ...notes(sources),
    ...events(sources, base),
  };
  markErrors(table, sources);
  measureSelf(table, tree);
  return { table, sources };
}

/** Eight zero bytes are no parent. */
function parentId(span: OtlpSpan): string {
  const id = span.parentSpanId ?? '';
  return /^0*$/.test(id) ? '' : id;
}

function earlier(one: Nanos, other: Nanos): Nanos {
  return nanosBetween(one, other) < 0 ? other : one;
}

function flatten(trace: OtlpTrace): SourceSpan[] {
  const result: SourceSpan[] = [];
  for (const { resource = {}, scopeSpans = [] } of trace.resourceSpans ?? []) {
    for (const { scope = {}, spans = [] } of scopeSpans) {
      for (const span of spans) result.push({ span, resource, scope });
    }
  }
  return result;
}

function names(sources: SourceSpan[]): Pick<TraceTable, 'services' | 'names' | 'service' | 'name'> {
  const services = new Interner();
  const operations = new Interner();
  const ofResource = new Map<OtlpResource, number>();
  const service = Uint32Array.from(sources, ({ resource }) => {
    let at = ofResource.get(resource);
    if (at === undefined) {
      at = services.add(attributeText(resource.attributes, 'service.name') || SERVICE_UNKNOWN);
      ofResource.set(resource, at);
    }
    return at;
  });
  const name = Uint32Array.from(sources, ({ span }) => operations.add(span.name ?? ''));
  return { services: services.values, names: operations.values, service, name };
}

function notes(sources: SourceSpan[]): Pick<TraceTable, 'notes' | 'note'> {
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

class Interner {
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

function events(sources: SourceSpan[], base: Nanos): Pick<TraceTable, 'eventStart' | 'eventTimes'> {
  const eventStart = new Uint32Array(sources.length + 1);
  const times: number[] = [];
  sources.forEach(({ span }, row) => {
    for (const event of span.events ?? []) times.push(nanosBetween(base, readNanos(event.timeUnixNano)));
    eventStart[row + 1] = times.length;
  });
  return { eventStart, eventTimes: Float64Array.from(times) };
}

function markErrors(table: TraceTable, sources: SourceSpan[]): void {
  const { flags, parent } = table;
  for (let row = table.count - 1; row >= 0; row--) {
    if (statusCode(sources[row].span) === 2) flags[row] |= FLAG.ERROR;
    if (parent[row] !== -1 && flags[row] & (FLAG.ERROR | FLAG.ERROR_BELOW))
      flags[parent[row]] |= FLAG.ERROR_BELOW;
  }
}

/** Children come in order of start, so one sweep a parent suffices: `covered` is how far it came. */
function measureSelf({ start, duration, self, parent }: TraceTable, { order }: Tree): void {
  const covered = Float64Array.from(start);
  self.set(duration);
  for (let row = 0; row < order.length; row++) {
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
