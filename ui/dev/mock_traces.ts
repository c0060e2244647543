// Development only: made-up traces of a web shop, from a seed.
import type { OtlpKeyValue, OtlpSpan } from '../app/trace/otlp.ts';

export interface MockSpan extends OtlpSpan {
  service: string;
}

export interface MockLog {
  time: string;
  severity_number: number;
  severity_text: string;
  body: string;
  span_id: string;
  trace_id: string;
  service_name: string;
  attributes: Record<string, unknown>;
  resource_attributes: Record<string, unknown>;
}

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  int(max: number): number {
    return Math.floor(this.next() * max);
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(16).toString(16)).join('');
  }

  pick<T>(list: T[]): T {
    return list[this.int(list.length)];
  }
}

const SHOP: Record<string, { operations: string[]; calls: string[] }> = {
  frontend: {
    operations: ['GET /', 'GET /product/{id}', 'POST /cart', 'POST /checkout'],
    calls: ['catalog', 'cart', 'checkout', 'recommendation', 'ads'],
  },
  checkout: {
    operations: ['PlaceOrder'],
    calls: ['cart', 'payment', 'shipping', 'email', 'currency', 'inventory'],
  },
  payment: { operations: ['Charge', 'Authorize'], calls: ['fraud', 'postgres-payments'] },
  cart: { operations: ['GetCart', 'AddItem'], calls: ['redis'] },
  catalog: { operations: ['GetProduct', 'ListProducts'], calls: ['postgres-catalog'] },
  recommendation: { operations: ['Recommend'], calls: ['catalog'] },
  shipping: { operations: ['Quote', 'Ship'], calls: ['currency'] },
  inventory: { operations: ['Reserve'], calls: ['postgres-catalog'] },
  ads: { operations: ['GetAds'], calls: [] },
  email: { operations: ['SendConfirmation'], calls: [] },
  fraud: { operations: ['Score'], calls: [] },
  currency: { operations: ['Convert'], calls: [] },
  redis: { operations: ['GET', 'HGETALL'], calls: [] },
  'postgres-catalog': { operations: ['SELECT products', 'UPDATE stock'], calls: [] },
  'postgres-payments': { operations: ['INSERT payments'], calls: [] },
};

const text = (key: string, value: string): OtlpKeyValue => ({ key, value: { stringValue: value } });
const int = (key: string, value: number): OtlpKeyValue => ({ key, value: { intValue: String(value) } });

export interface MockTrace {
  traceId: string;
  spans: MockSpan[];
  logs: MockLog[];
}

export function makeTrace(random: Random, startMs: number, spansMax: number): MockTrace {
  const trace: MockTrace = { traceId: random.hex(32), spans: [], logs: [] };
  const start = BigInt(Math.round(startMs)) * 1_000_000n;
  const scale = 10 ** (random.next() * 1.6);
  const pending: [service: string, parent: string, start: bigint, length: number][] = [
    ['frontend', '', start, (20 + random.int(80)) * scale * 1e6],
  ];
  for (let next = 0; next < pending.length && trace.spans.length < spansMax; next++) {
    const [service, parent, at, length] = pending[next];
    const span = makeSpan(random, trace, service, parent, at, length);
    const calls = SHOP[service].calls;
    const wanted = spansMax > 1000 ? 3 + random.int(6) : random.int(calls.length + 2);
    const targets = calls.length ? calls : spansMax > 1000 ? ['redis', 'catalog', 'checkout'] : [];
    let from = at + BigInt(Math.round(length * 0.04));
    for (let i = 0; i < wanted && targets.length; i++) {
      const share = (length / wanted) * (0.4 + random.next() * 0.5);
      pending.push([random.pick(targets), span.spanId ?? '', from, share]);
      from += BigInt(Math.round(share * (random.next() < 0.25 ? 0.4 : 1.05)));
    }
  }
  return trace;
}

function makeSpan(
  random: Random,
  trace: MockTrace,
  service: string,
  parent: string,
  at: bigint,
  length: number,
): MockSpan {
  const failed = random.next() < (service === 'payment' ? 0.12 : 0.008);
  const operation = random.pick(SHOP[service].operations);
  const span: MockSpan = {
    service,
    traceId: trace.traceId,
    spanId: random.hex(16),
    parentSpanId: parent,
    name: operation,
    kind: parent ? random.pick([2, 2, 3]) : 2,
    startTimeUnixNano: String(at),
    endTimeUnixNano: String(at + BigInt(Math.round(length))),
    attributes: [
      text('http.request.method', random.pick(['GET', 'POST'])),
      text('http.route', operation),
      int('http.response.status_code', failed ? 500 : 200),
      text('server.address', `${service}.shop.internal`),
      text('user.id', `u-${random.int(5000)}`),
    ],
    status: failed ? { code: 2, message: `${service}: deadline exceeded` } : {},
  };
  if (service.startsWith('postgres')) {
    span.attributes?.push(
      text('db.system.name', 'postgresql'),
      text('db.query.text', `${operation} WHERE id = $1 ORDER BY created_at DESC LIMIT 50`),
    );
  }
  const middle = at + BigInt(Math.round(length * random.next()));
  if (failed) span.events = [exception(middle, service)];
  if (trace.spans.length < 3000 && random.next() < 0.5)
    trace.logs.push(makeLog(random, span, middle, failed));
  trace.spans.push(span);
  return span;
}

function exception(at: bigint, service: string) {
  return {
    timeUnixNano: String(at),
    name: 'exception',
    attributes: [
      text('exception.type', 'DeadlineExceeded'),
      text('exception.message', `no answer from ${service} after 2 s`),
      text(
        'exception.stacktrace',
        'at Client.call (client.ts:118)\n    at Checkout.place (checkout.ts:42)\n    at Router.handle (router.ts:9)',
      ),
    ],
  };
}

function makeLog(random: Random, span: MockSpan, at: bigint, failed: boolean): MockLog {
  const level: [number, string] = failed ? [17, 'ERROR'] : random.next() < 0.1 ? [13, 'WARN'] : [9, 'INFO'];
  return {
    time: rfc3339(at),
    severity_number: level[0],
    severity_text: level[1],
    body: failed
      ? `request to ${span.service} failed: deadline exceeded after 2000 ms, giving up`
      : `${span.name} handled for user u-${random.int(5000)} in region eu-central`,
    span_id: span.spanId ?? '',
    trace_id: span.traceId ?? '',
    service_name: span.service,
    attributes: { thread: `worker-${random.int(8)}` },
    resource_attributes: {},
  };
}

export function rfc3339(ns: bigint): string {
  const whole = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}
