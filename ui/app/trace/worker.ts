// Fetches traces away from the page's thread, and answers what the page asks about them: the skeleton
// first, single spans as they are selected, and whole traces only where they are small or searched.
// Requests and answers: session.ts.
import { ApiError, apiUrl, request } from '../api/client.ts';
import { spanDetail } from './detail.ts';
import { findSpans } from './find.ts';
import type { OtlpTrace } from './otlp.ts';
import type { WorkerAnswer, WorkerRequest } from './session.ts';
import { readSkeleton, SKELETON_TYPE } from './skeleton.ts';
import {
  addRest,
  flatten,
  type SourceSpan,
  sourceOf,
  sourcesOf,
  type TraceTable,
  tableOf,
  transferables,
} from './table.ts';

/** Older traces are forgotten, and fetched again if they are asked for. */
const TRACES_KEPT_MAX = 3;
/** Traces of up to this many spans are fetched whole at once: their notes and events show. */
const WHOLE_SPANS_MAX = 10_000;

interface LoadedTrace {
  table: TraceTable;
  /** By row; fetched when they are needed first. */
  sources?: Promise<(SourceSpan | undefined)[]>;
}

const traces = new Map<string, Promise<LoadedTrace>>();

const pathOf = (traceId: string) => `traces/${encodeURIComponent(traceId)}`;

async function load(traceId: string): Promise<LoadedTrace> {
  const response = await request(apiUrl(`${pathOf(traceId)}/skeleton`), undefined, SKELETON_TYPE);
  const table = tableOf(traceId, readSkeleton(await response.arrayBuffer()));
  const loaded: LoadedTrace = { table };
  if (table.count <= WHOLE_SPANS_MAX) addRest(table, await sources(loaded));
  return loaded;
}

function sources(trace: LoadedTrace): Promise<(SourceSpan | undefined)[]> {
  if (!trace.sources) {
    const { table } = trace;
    trace.sources = request(apiUrl(pathOf(table.traceId)))
      .then((response) => response.json())
      .then((whole) => sourcesOf(table, whole as OtlpTrace));
    trace.sources.catch(() => {
      trace.sources = undefined;
    });
  }
  return trace.sources;
}

async function detail(trace: LoadedTrace, row: number): Promise<SourceSpan | undefined> {
  if (trace.sources) return (await trace.sources)[row];
  const { table } = trace;
  const path = `${pathOf(table.traceId)}/spans/${table.spanIds[row]}`;
  const response = await request(apiUrl(path, { format: 'otlp' }));
  return sourceOf(table, row, flatten((await response.json()) as OtlpTrace));
}

function keep(traceId: string): Promise<LoadedTrace> {
  const loading = load(traceId);
  traces.delete(traceId);
  traces.set(traceId, loading);
  loading.catch(() => traces.delete(traceId));
  for (const oldest of traces.keys()) {
    if (traces.size <= TRACES_KEPT_MAX) break;
    traces.delete(oldest);
  }
  return loading;
}

async function answer(message: WorkerRequest): Promise<[unknown, Transferable[]]> {
  if (message.kind === 'load') {
    const { table } = await keep(message.traceId);
    // The worker keeps what it needs for searching; the page gets its own copy of the columns.
    const copy = structuredClone(table);
    return [copy, transferables(copy)];
  }
  const trace = await (traces.get(message.traceId) ?? keep(message.traceId));
  if (message.kind === 'find') {
    const rows = findSpans(trace.table, await sources(trace), message.text);
    return [rows, [rows.buffer as ArrayBuffer]];
  }
  const source = await detail(trace, message.row);
  return [source ? spanDetail(source) : null, []];
}

self.onmessage = async ({ data }: MessageEvent<WorkerRequest>) => {
  let reply: WorkerAnswer;
  let transfer: Transferable[] = [];
  try {
    const [value, buffers] = await answer(data);
    reply = { id: data.id, value };
    transfer = buffers;
  } catch (error) {
    reply = {
      id: data.id,
      error:
        error instanceof ApiError
          ? { status: error.status, problem: error.problem }
          : { status: -1, problem: { title: 'The trace could not be read', detail: String(error) } },
    };
  }
  self.postMessage(reply, { transfer });
};
