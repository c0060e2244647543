// Development only: the table of a whole trace, as OTLP/JSON has it. The app makes its tables of
// skeletons; the mock makes skeletons of these, and the tests compare the two.
import {
  attributeText,
  kindNumber,
  type Nanos,
  nanosBetween,
  type OtlpResource,
  type OtlpSpan,
  type OtlpTrace,
  readNanos,
  statusCode,
} from '../app/trace/otlp.ts';
import {
  events,
  flatten,
  Interner,
  markAbove,
  measureSelf,
  notes,
  SERVICE_UNKNOWN,
  type SourceSpan,
  type TraceTable,
} from '../app/trace/table.ts';
import { FLAG } from '../app/trace/tree.ts';
import { buildTree } from './build_tree.ts';

export interface ParsedTrace {
  table: TraceTable;
  /** By row. */
  sources: SourceSpan[];
}

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
    rowOfPlace: Int32Array.from(tree.order, (_, row) => row),
    ...names(sources),
    ...notes(sources),
    ...events(sources, base),
  };
  sources.forEach(({ span }, row) => {
    if (statusCode(span) === 2) table.flags[row] |= FLAG.ERROR;
  });
  markAbove(table);
  measureSelf(table);
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
