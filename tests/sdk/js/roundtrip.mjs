// Exports one of everything with the OpenTelemetry SDK for JavaScript, over each transport, with and
// without gzip, and compares what the API gives back.
//
//     node roundtrip.mjs --grpc HOST:PORT --http HOST:PORT --api http://HOST:PORT
//
// Prints a line per transport; ends with 1 and the differences if anything came back changed.

import { deepStrictEqual } from 'node:assert';
import { parseArgs } from 'node:util';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { AggregationTemporality, AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const { values: options } = parseArgs({
  options: { grpc: { type: 'string' }, http: { type: 'string' }, api: { type: 'string' } },
});
const TRANSPORTS = ['grpc', 'proto', 'http'];
const SIGNALS = { trace: 'OTLPTraceExporter', logs: 'OTLPLogExporter', metrics: 'OTLPMetricExporter' };
const PATHS = { trace: 'traces', logs: 'logs', metrics: 'metrics' };
const START_MS = Date.now();
const ATTRIBUTES = { text: 'grüße 🎈', int: 42, negative: -1, double: 0.1, yes: true, texts: ['a', 'b'] };

async function exporter(transport, signal, gzip) {
  const module = await import(`@opentelemetry/exporter-${signal}-otlp-${transport}`);
  const url = transport === 'grpc' ? `http://${options.grpc}` : `http://${options.http}/v1/${PATHS[signal]}`;
  return new module[SIGNALS[signal]]({ url, compression: gzip ? 'gzip' : 'none' });
}

async function sendSpans(resource, transport, gzip) {
  const spanProcessors = [new SimpleSpanProcessor({ exporter: await exporter(transport, 'trace', gzip) })];
  const provider = new TracerProvider({ resource, spanProcessors });
  const tracer = provider.getTracer('tests.sdk', '0.1', { schemaUrl: 'https://example.test/schema' });
  const linked = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: TraceFlags.SAMPLED };
  const root = tracer.startSpan(
    'root',
    {
      kind: SpanKind.SERVER,
      startTime: START_MS,
      attributes: ATTRIBUTES,
      links: [{ context: linked, attributes: { why: 'because' } }],
    },
    ROOT_CONTEXT,
  );
  const child = tracer.startSpan('child', { kind: SpanKind.CLIENT, startTime: START_MS + 1 }, trace.setSpan(ROOT_CONTEXT, root));
  child.addEvent('happened', { n: 1 }, START_MS + 2);
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke' });
  child.end(START_MS + 3);
  root.end(START_MS + 5);
  await provider.forceFlush();
  await provider.shutdown();
  return { root: root.spanContext(), child: child.spanContext() };
}

async function sendLogs(resource, transport, gzip, root) {
  const processors = [new SimpleLogRecordProcessor({ exporter: await exporter(transport, 'logs', gzip) })];
  const provider = new LoggerProvider({ resource, processors });
  const logger = provider.getLogger('tests.sdk');
  logger.emit({
    timestamp: START_MS,
    observedTimestamp: START_MS + 1,
    severityNumber: SeverityNumber.WARN,
    severityText: 'WARN',
    body: 'hello world',
    attributes: ATTRIBUTES,
    context: trace.setSpanContext(context.active(), root),
  });
  logger.emit({
    timestamp: START_MS + 1,
    severityNumber: SeverityNumber.INFO,
    severityText: 'INFO',
    body: { nested: { list: [1, 'two', 3.5] } },
    eventName: 'thing.done',
  });
  await provider.forceFlush();
  await provider.shutdown();
}

async function sendMetrics(resource, transport, gzip) {
  const metrics = await exporter(transport, 'metrics', gzip);
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 });
  const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM };
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [{ instrumentName: 'exponential', aggregation }],
  });
  const meter = provider.getMeter('tests.sdk');
  meter.createCounter('requests', { unit: '1', description: 'how many' }).add(5, { route: '/a' });
  meter.createUpDownCounter('queue').add(-2.5);
  meter.createGauge('temperature', { unit: 'Cel' }).record(21.5);
  for (const name of ['explicit', 'exponential']) {
    const histogram = meter.createHistogram(name, { unit: 'ms' });
    for (const value of [1, 5, 250]) histogram.record(value);
  }
  // Shutting down collects and exports; a flush before it would send every point twice.
  await provider.shutdown();
}

// Sends what only the test around this script compares: it keeps what the exporters send.
async function sendMore(service, transport, gzip) {
  const resource = resourceFromAttributes({ 'service.name': service, list: [1.5, 2.5], flags: [true, false] });
  const spanProcessors = [new SimpleSpanProcessor({ exporter: await exporter(transport, 'trace', gzip) })];
  const spanLimits = { attributeCountLimit: 2, eventCountLimit: 1, linkCountLimit: 1 };
  const tracers = new TracerProvider({ resource, spanProcessors, spanLimits });
  const remote = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: TraceFlags.SAMPLED, isRemote: true };
  const links = [{ context: remote, attributes: ATTRIBUTES }, { context: remote }];
  const parent = trace.setSpanContext(ROOT_CONTEXT, remote);
  const how = { kind: SpanKind.CONSUMER, attributes: ATTRIBUTES, links };
  const span = tracers.getTracer('tests.more').startSpan('limited', how, parent);
  span.addEvent('first', ATTRIBUTES).addEvent('second');
  span.recordException(new Error('it broke'));
  span.setStatus({ code: SpanStatusCode.OK });
  span.end();
  await tracers.forceFlush();
  await tracers.shutdown();

  const processors = [new SimpleLogRecordProcessor({ exporter: await exporter(transport, 'logs', gzip) })];
  const loggers = new LoggerProvider({ resource, processors });
  const logger = loggers.getLogger('tests.more', '0.2', { schemaUrl: 'https://example.test/scope' });
  const attributes = { nested: { list: [1, 'two'] } };
  const bodies = ['', 7, -0.5, true, new Uint8Array([0, 255]), ['a', 1], { deep: [{ er: 1 }] }, undefined];
  bodies.forEach((body, number) => logger.emit({ timestamp: START_MS + number, body, attributes }));
  await loggers.forceFlush();
  await loggers.shutdown();

  const metrics = await exporter(transport, 'metrics', gzip);
  metrics.selectAggregationTemporality = () => AggregationTemporality.DELTA;
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ resource, readers: [reader] });
  const meter = meters.getMeter('tests.more', '0.3', { schemaUrl: 'https://example.test/meter' });
  meter.createCounter('delta').add(5, { route: '/a', n: 1 });
  meter.createUpDownCounter('signed').add(-Number.MAX_SAFE_INTEGER);
  meter.createHistogram('explicit', { advice: { explicitBucketBoundaries: [] } }).record(0.25);
  meter.createObservableGauge('observed').addCallback((result) => result.observe(0, { zero: true }));
  await meters.shutdown();
}

async function request(path, body) {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
  const answer = await fetch(`${options.api}${path}`, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

async function sql(query) {
  const { columns, rows } = await request('/api/v1/sql', { query });
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
}

function plain(value) {
  if ('arrayValue' in value) return (value.arrayValue.values ?? []).map(plain);
  const [[kind, inner]] = Object.entries(value);
  return kind === 'intValue' ? Number(inner) : inner;
}

const attributes = (holder) => Object.fromEntries((holder.attributes ?? []).map(({ key, value }) => [key, plain(value)]));
const nanos = (ms) => `${ms}000000`;

async function compareTrace(equal, service, { root, child }) {
  const document = await request(`/api/v1/traces/${root.traceId}`);
  equal('resources', document.resourceSpans.length, 1);
  const [group] = document.resourceSpans;
  equal('resource', attributes(group.resource), { 'service.name': service, 'service.version': '1.2.3', 'host.cpus': 8 });
  const [scope] = group.scopeSpans;
  equal('scope', [scope.scope.name, scope.scope.version], ['tests.sdk', '0.1']);
  const spans = Object.fromEntries(group.scopeSpans.flatMap((each) => each.spans).map((span) => [span.name, span]));
  const first = spans.root;
  equal('trace id', first.traceId, root.traceId);
  equal('span id', first.spanId, root.spanId);
  equal('kind', first.kind, 2);
  equal('start', first.startTimeUnixNano, nanos(START_MS));
  equal('end', first.endTimeUnixNano, nanos(START_MS + 5));
  equal('attributes', attributes(first), ATTRIBUTES);
  equal('link', [first.links[0].traceId, first.links[0].spanId], ['1'.repeat(32), '2'.repeat(16)]);
  equal('link attributes', attributes(first.links[0]), { why: 'because' });
  const second = spans.child;
  equal('child', [second.spanId, second.parentSpanId, second.kind], [child.spanId, root.spanId, 3]);
  equal('status', second.status, { code: 2, message: 'it broke' });
  equal('event', [second.events[0].name, second.events[0].timeUnixNano], ['happened', nanos(START_MS + 2)]);
  equal('event attributes', attributes(second.events[0]), { n: 1 });
}

async function compareLogs(equal, service, { root }) {
  const rows = await sql(`SELECT * FROM logs WHERE service_name = '${service}' ORDER BY time`);
  equal('log records', rows.length, 2);
  const [first, second] = rows;
  equal('body', first.body, 'hello world');
  equal('severity', [first.severity_number, first.severity_text], [13, 'WARN']);
  equal('log ids', [first.trace_id, first.span_id], [root.traceId, root.spanId]);
  equal('log attributes', first.attributes, ATTRIBUTES);
  equal('nested body', JSON.parse(second.body), { nested: { list: [1, 'two', 3.5] } });
  equal('event name', second.event_name, 'thing.done');
}

async function compareMetrics(equal, service) {
  const where = `WHERE service_name = '${service}'`;
  const points = await sql(`SELECT metric_name, value, attributes['route'] AS route FROM metrics ${where}`);
  const values = Object.fromEntries(points.map((row) => [row.metric_name, [row.value, row.route]]));
  equal('numbers', values, { requests: [5, '/a'], queue: [-2.5, null], temperature: [21.5, null] });
  const series = await sql(`SELECT metric_name, unit, description FROM series ${where} ORDER BY metric_name`);
  equal('series', series.map((row) => row.metric_name), ['explicit', 'exponential', 'queue', 'requests', 'temperature']);
  equal('counter', [series[3].unit, series[3].description], ['1', 'how many']);
  const histograms = await sql(
    `SELECT h.count, h.sum, h.min, h.max FROM histograms h JOIN series s ON h.series_id = s.series_id WHERE s.service_name = '${service}'`,
  );
  const expected = { count: 3, sum: 256, min: 1, max: 250 };
  equal('histograms', histograms, [expected, expected]);
}

const differences = [];
for (const transport of TRANSPORTS) {
  for (const gzip of [false, true]) {
    const service = `js-${transport}-${gzip ? 'gzip' : 'plain'}-${START_MS}`;
    const before = differences.length;
    const equal = (what, got, sent) => {
      try {
        deepStrictEqual(got, sent);
      } catch {
        differences.push(`${service}: ${what}: got ${JSON.stringify(got)}, sent ${JSON.stringify(sent)}`);
      }
    };
    const resource = resourceFromAttributes({ 'service.name': service, 'service.version': '1.2.3', 'host.cpus': 8 });
    const ids = await sendSpans(resource, transport, gzip);
    await sendLogs(resource, transport, gzip, ids.root);
    await sendMetrics(resource, transport, gzip);
    await compareTrace(equal, service, ids);
    await compareLogs(equal, service, ids);
    await compareMetrics(equal, service);
    await sendMore(`${service}-more`, transport, gzip);
    console.log(`${service}: ${differences.length - before} differences`);
  }
}
console.log(differences.join('\n'));
process.exit(differences.length > 0 ? 1 : 0);
