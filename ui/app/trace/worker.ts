// Fetches and parses traces away from the page's thread, keeps their spans, and answers what the
// page asks about them. Requests and answers: session.ts.
import { ApiError, apiUrl, request } from '../api/client.ts';
import { spanDetail } from './detail.ts';
import { findSpans } from './find.ts';
import type { OtlpTrace } from './otlp.ts';
import type { WorkerAnswer, WorkerRequest } from './session.ts';
import { type ParsedTrace, parseTrace, transferables } from './table.ts';

/** Older traces are forgotten, and fetched again if they are asked for. */
const TRACES_KEPT_MAX = 3;

const traces = new Map<string, Promise<ParsedTrace>>();

async function load(traceId: string): Promise<ParsedTrace> {
  const response = await request(apiUrl(`traces/${encodeURIComponent(traceId)}`));
  const parsed = parseTrace(traceId, (await response.json()) as OtlpTrace);
  parsed.table.partial = response.headers.get('throughline-partial') ?? undefined;
  return parsed;
}

function keep(traceId: string): Promise<ParsedTrace> {
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
  const parsed = await (traces.get(message.traceId) ?? keep(message.traceId));
  if (message.kind === 'find') {
    const rows = findSpans(parsed, message.text);
    return [rows, [rows.buffer as ArrayBuffer]];
  }
  const source = parsed.sources[message.row];
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
