// Development only: traces in memory, and the questions of the native API about them.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseDuration } from '../app/lib/format.ts';
import { type OtlpTrace, valueText } from '../app/trace/otlp.ts';
import { type MockLog, type MockSpan, type MockTrace, makeTrace, Random, rfc3339 } from './mock_traces.ts';

const SMALL_TRACES = 1_500;
const ODD_SPANS_MIN = 16;
const PAGE_DEFAULT = 20;
/** Known ids, for the screenshots and for trying by hand. */
export const BIG_TRACE = 'b16b16b16b16b16b16b16b16b16b16b1';
export const ODD_TRACE = '0dd0dd0dd0dd0dd0dd0dd0dd0dd0dd0d';

interface Entry extends MockTrace {
  startNs: bigint;
}

export class MockStore {
  private readonly entries = new Map<string, Entry>();
  private readonly newestFirst: Entry[];

  constructor() {
    const random = new Random(7);
    const now = Date.now();
    if (!process.env.MOCK_EMPTY) {
      for (let i = 0; i < SMALL_TRACES; i++)
        this.add(makeTrace(random, now - random.next() ** 2 * 6 * 3_600_000, 200));
      this.add(renamed(makeTrace(random, now - 120_000, 100_000), BIG_TRACE));
      this.add(odd(renamed(bushy(random, now - 90_000), ODD_TRACE)));
      for (const trace of trainTicket()) this.add(trace);
    }
    this.newestFirst = [...this.entries.values()].sort((a, b) => (a.startNs < b.startNs ? 1 : -1));
  }

  private add(trace: MockTrace): void {
    const starts = trace.spans.map((span) => BigInt(span.startTimeUnixNano ?? 0));
    const startNs = starts.reduce((a, b) => (a < b ? a : b));
    this.entries.set(trace.traceId, { ...trace, startNs });
  }

  services(): string[] {
    return [...new Set(this.newestFirst.flatMap((entry) => entry.spans.map((span) => span.service)))];
  }

  operations(service: string): { name: string; kind: string }[] {
    const names = new Set<string>();
    for (const entry of this.newestFirst) {
      for (const span of entry.spans) if (span.service === service) names.add(span.name ?? '');
    }
    return [...names].map((name) => ({ name, kind: 'SERVER' }));
  }

  attributeNames(prefix: string): { name: string }[] {
    const names = new Set<string>();
    for (const entry of this.newestFirst.slice(0, 50)) {
      for (const span of entry.spans.slice(0, 100))
        for (const { key } of span.attributes ?? []) names.add(key);
    }
    return [...names].filter((name) => name.startsWith(prefix)).map((name) => ({ name }));
  }

  attributeValues(key: string, prefix: string): string[] {
    const values = new Set<string>();
    for (const entry of this.newestFirst.slice(0, 200)) {
      for (const span of entry.spans.slice(0, 100)) {
        const found = span.attributes?.find((attribute) => attribute.key === key);
        if (found) values.add(valueText(found.value));
      }
    }
    return [...values].filter((value) => value.startsWith(prefix)).slice(0, 50);
  }

  search(query: URLSearchParams) {
    const limit = Number(query.get('limit') ?? PAGE_DEFAULT);
    const from = Number(query.get('cursor') ?? 0);
    const hits = this.newestFirst
      .map((entry) => summary(entry, query))
      .filter((hit) => hit !== undefined)
      .slice(from, from + limit + 1);
    return {
      traces: hits.slice(0, limit),
      next_cursor: hits.length > limit ? String(from + limit) : null,
      stats: {},
    };
  }

  /** A trace, or one span of it. */
  trace(id: string, spanId?: string): OtlpTrace | undefined {
    const entry = this.entries.get(id);
    if (!entry) return undefined;
    const spans = entry.spans.filter((span) => spanId === undefined || span.spanId === spanId);
    return {
      resourceSpans: [...byService(spans)].map(([service, spans]) => ({
        resource: {
          attributes: [
            { key: 'service.name', value: { stringValue: service } },
            { key: 'service.version', value: { stringValue: '1.4.2' } },
            { key: 'host.name', value: { stringValue: `node-${service.length}` } },
          ],
        },
        scopeSpans: [
          { scope: { name: 'mock', version: '0.1' }, spans: spans.map(({ service: _, ...span }) => span) },
        ],
      })),
    };
  }

  logs(id: string): MockLog[] {
    return this.entries.get(id)?.logs ?? [];
  }
}

function summary(entry: Entry, query: URLSearchParams) {
  const startMs = Number(entry.startNs / 1_000_000n);
  const start = Date.parse(query.get('start') ?? '') || 0;
  const end = Date.parse(query.get('end') ?? '') || Number.POSITIVE_INFINITY;
  if (startMs < start || startMs > end) return undefined;
  const ends = entry.spans.map((span) => BigInt(span.endTimeUnixNano ?? 0));
  const duration = Number(ends.reduce((a, b) => (a > b ? a : b)) - entry.startNs);
  const matched = entry.spans.filter((span) => matches(span, query)).length;
  const min = parseDuration(query.get('min_duration') ?? '') ?? 0;
  const max = parseDuration(query.get('max_duration') ?? '') ?? Number.POSITIVE_INFINITY;
  if (matched === 0 || duration < min || duration > max) return undefined;
  const root = entry.spans.find((span) => !span.parentSpanId);
  const services = [...byService(entry.spans)].map(([name, spans]) => ({
    name,
    span_count: spans.length,
    error_count: spans.filter((span) => span.status?.code === 2).length,
  }));
  return {
    trace_id: entry.traceId,
    root_service: (root ?? entry.spans[0]).service,
    root_operation: (root ?? entry.spans[0]).name,
    has_root: root !== undefined,
    start_time: rfc3339(entry.startNs),
    duration_ns: duration,
    span_count: entry.spans.length,
    error_count: services.reduce((sum, service) => sum + service.error_count, 0),
    matched_spans: matched,
    services,
  };
}

function byService(spans: MockSpan[]): Map<string, MockSpan[]> {
  const result = new Map<string, MockSpan[]>();
  for (const span of spans) {
    const known = result.get(span.service);
    if (known) known.push(span);
    else result.set(span.service, [span]);
  }
  return result;
}

function matches(span: MockSpan, query: URLSearchParams): boolean {
  const service = query.get('service');
  const operation = query.get('operation');
  if (service && span.service !== service) return false;
  if (operation && span.name !== operation) return false;
  if (query.get('status') === 'error' && span.status?.code !== 2) return false;
  return query.getAll('filter').every((filter) => {
    const [key, value] = filter.split('=');
    const found = span.attributes?.find((attribute) => attribute.key === key);
    return found !== undefined && (value === undefined || valueText(found.value) === value);
  });
}

function renamed(trace: MockTrace, traceId: string): MockTrace {
  return {
    traceId,
    spans: trace.spans.map((span) => ({ ...span, traceId })),
    logs: trace.logs.map((log) => ({ ...log, trace_id: traceId })),
  };
}

function bushy(random: Random, startMs: number): MockTrace {
  for (;;) {
    const trace = makeTrace(random, startMs, 40);
    if (trace.spans.length >= ODD_SPANS_MIN) return trace;
  }
}

/** An orphan, a loop, repeated ids, a child before its parent, links. */
function odd(trace: MockTrace): MockTrace {
  const [root, ...rest] = trace.spans;
  rest[1].parentSpanId = 'ffffffffffffffff';
  rest[2].parentSpanId = rest[3].spanId;
  rest[3].parentSpanId = rest[2].spanId;
  rest[5] = { ...rest[5], spanId: rest[4].spanId };
  rest[6].startTimeUnixNano = String(BigInt(root.startTimeUnixNano ?? 0) - 3_000_000n);
  rest[7].links = [{ traceId: BIG_TRACE, spanId: '00f067aa0ba902b7' }];
  return { ...trace, spans: [root, ...rest] };
}

function trainTicket(): MockTrace[] {
  const shared = process.env.THROUGHLINE_SHARED ?? join(process.cwd(), '../../shared');
  const folder = join(shared, 'data/trainticket');
  if (!existsSync(folder)) return [];
  const traces = new Map<string, MockTrace>();
  for (const line of lines(join(folder, 'traces.jsonl.gz'))) {
    for (const { resource, scopeSpans } of (JSON.parse(line) as OtlpTrace).resourceSpans ?? []) {
      const service = valueText(resource?.attributes?.find(({ key }) => key === 'service.name')?.value);
      for (const span of scopeSpans?.flatMap(({ spans }) => spans ?? []) ?? []) {
        const traceId = span.traceId ?? '';
        const trace = traces.get(traceId) ?? { traceId, spans: [], logs: [] };
        traces.set(traceId, trace);
        trace.spans.push({ ...span, service });
      }
    }
  }
  return [...traces.values()];
}

function lines(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString().split('\n').filter(Boolean);
}
