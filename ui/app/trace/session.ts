// The page's side of the trace worker: one worker for the app, started when the first trace opens.
import { queryOptions } from '@tanstack/react-query';
import { ApiError } from '../api/client.ts';
import type { Problem } from '../api/types.ts';
import type { SpanDetail } from './detail.ts';
import type { TraceTable } from './table.ts';

export type WorkerRequest = { id: number; traceId: string } & (
  | { kind: 'load' }
  | { kind: 'detail'; row: number }
  | { kind: 'find'; text: string }
);

export interface WorkerAnswer {
  id: number;
  value?: unknown;
  error?: { status: number; problem: Problem };
}

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

const waiting = new Map<number, Waiting>();
let worker: Worker | undefined;
let lastId = 0;

function start(): Worker {
  const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  started.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
    const caller = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error) caller?.reject(new ApiError(data.error.status, data.error.problem));
    else caller?.resolve(data.value as never);
  };
  started.onerror = (event) => {
    // Most likely out of memory: tell everybody who waits, and start afresh next time.
    const error = new ApiError(-1, { title: 'The trace could not be read', detail: event.message });
    for (const caller of waiting.values()) caller.reject(error);
    waiting.clear();
    started.terminate();
    worker = undefined;
  };
  return started;
}

function ask<T>(
  message: { kind: 'load' } | { kind: 'detail'; row: number } | { kind: 'find'; text: string },
  traceId: string,
): Promise<T> {
  worker ??= start();
  const id = ++lastId;
  return new Promise<T>((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: never) => void, reject });
    worker?.postMessage({ ...message, id, traceId } satisfies WorkerRequest);
  });
}

export function traceQuery(traceId: string) {
  return queryOptions({
    queryKey: ['trace', traceId],
    queryFn: () => ask<TraceTable>({ kind: 'load' }, traceId),
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function detailQuery(traceId: string, row: number) {
  return queryOptions({
    queryKey: ['span', traceId, row],
    queryFn: () => ask<SpanDetail | null>({ kind: 'detail', row }, traceId),
    enabled: row >= 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function findQuery(traceId: string, text: string) {
  return queryOptions({
    queryKey: ['find', traceId, text],
    queryFn: () => ask<Int32Array>({ kind: 'find', text }, traceId),
    enabled: text.trim() !== '',
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
