// Development only: answers the native API from memory, so that the app runs without a server.
// Traces are generated (mock_traces.ts), and those of TrainTicket are added where they are found
// (THROUGHLINE_SHARED, or ../shared beside the repository).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connect, Plugin } from 'vite';
import { criticalFacts, skeletonBytes } from './mock_skeleton.ts';
import { MockStore } from './mock_store.ts';

export function mockApi(): Plugin {
  return {
    name: 'mock-api',
    configureServer: (server) => answerFor(server.middlewares),
    configurePreviewServer: (server) => answerFor(server.middlewares),
  };
}

function answerFor(middlewares: Connect.Server): void {
  const store = new MockStore();
  middlewares.use('/api/v1', (request, response) => handle(store, request, response));
}

const DELAY_MS = Number(process.env.MOCK_DELAY_MS ?? 60);

function handle(store: MockStore, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://mock');
  const { status, body } = answer(store, url);
  setTimeout(() => {
    response.statusCode = status;
    response.setHeader('content-type', status === 200 ? 'application/json' : 'application/problem+json');
    response.end(body instanceof Uint8Array ? body : JSON.stringify(body));
  }, DELAY_MS);
}

interface Answer {
  status: number;
  body: unknown;
}

const ok = (body: unknown): Answer => ({ status: 200, body });

function answer(store: MockStore, url: URL): Answer {
  const path = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const query = url.searchParams;
  const [kind, id, part, spanId] = path;
  if (kind === 'status') return ok({ ready: true, storage: { settled: true } });
  if (kind === 'services' && !id) return ok({ services: store.services().map((name) => ({ name })) });
  if (kind === 'services') return ok({ operations: store.operations(id) });
  if (kind === 'attributes' && !id)
    return ok({ attributes: store.attributeNames(query.get('prefix') ?? '') });
  if (kind === 'attributes') return ok({ values: store.attributeValues(id, query.get('prefix') ?? '') });
  if (kind === 'traces' && !id) return search(store, query);
  if (kind === 'traces' && part === 'logs') return ok({ logs: store.logs(id), next_cursor: null });
  if (kind === 'traces') {
    const trace = store.trace(id, part === 'spans' ? spanId : undefined);
    if (!trace) return problem(404, 'Not found', `no trace ${id}`);
    if (part === 'skeleton') return ok(skeletonBytes(id, trace));
    return ok(part === 'facts' ? criticalFacts(id, trace) : trace);
  }
  return problem(404, 'Not found', `no such path: ${url.pathname}`);
}

function search(store: MockStore, query: URLSearchParams): Answer {
  const bad = query.getAll('filter').find((filter) => filter.includes('=~('));
  if (bad) {
    return {
      status: 400,
      body: {
        title: 'Bad filter',
        detail: 'the regular expression does not end',
        field: 'filter',
        value: bad,
      },
    };
  }
  return ok(store.search(query));
}

function problem(status: number, title: string, detail: string): Answer {
  return { status, body: { title, detail, status } };
}
