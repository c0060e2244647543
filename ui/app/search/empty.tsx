// What to do when there is nothing to see: send the first data, or look wider.
import { Button, CopyButton, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { describeRange, RANGE_ALL, type TimeRange, widerRange } from '../lib/time_range.ts';
import { Notice } from '../shell/notice.tsx';
import { isNarrowed, type TraceQuery } from './query.ts';
import classes from './search.module.css';

interface NoMatchProps {
  query: TraceQuery;
  onChange: (change: Partial<TraceQuery>) => void;
}

export function NoMatch({ query, onChange }: NoMatchProps) {
  const wider = widerRange(query);
  const widen = (time: TimeRange) =>
    onChange({ range: undefined, start: undefined, end: undefined, ...time });
  const canWiden = query.range !== RANGE_ALL || !!query.start;
  const clear = {
    service: undefined,
    operation: undefined,
    filter: [],
    min: undefined,
    max: undefined,
    status: undefined,
  };
  return (
    <Notice
      title="No trace matches"
      actions={
        <>
          {canWiden && (
            <Button variant="light" onClick={() => widen(wider)}>
              Search {describeRange(wider).toLowerCase()}
            </Button>
          )}
          {canWiden && wider.range !== RANGE_ALL && (
            <Button variant="default" onClick={() => widen({ range: RANGE_ALL })}>
              Search all time
            </Button>
          )}
          {isNarrowed(query) && (
            <Button variant="default" onClick={() => onChange(clear)}>
              Clear the filters
            </Button>
          )}
        </>
      }
    >
      {isNarrowed(query)
        ? `Nothing in “${describeRange(query)}” passes these filters.`
        : `Nothing was recorded in “${describeRange(query)}”. There are older traces.`}
    </Notice>
  );
}

const host = () => window.location.hostname || 'localhost';

const SNIPPETS: { value: string; label: string; text: () => string }[] = [
  {
    value: 'sdk',
    label: 'OpenTelemetry SDK',
    text: () =>
      [
        'export OTEL_SERVICE_NAME=my-service',
        `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${host()}:4318`,
        'export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
        '# then start your program',
      ].join('\n'),
  },
  {
    value: 'collector',
    label: 'Collector',
    text: () =>
      [
        'exporters:',
        '  otlp/throughline:',
        `    endpoint: ${host()}:4317`,
        '    tls: { insecure: true }',
        'service:',
        '  pipelines:',
        '    traces:  { receivers: [otlp], exporters: [otlp/throughline] }',
        '    logs:    { receivers: [otlp], exporters: [otlp/throughline] }',
        '    metrics: { receivers: [otlp], exporters: [otlp/throughline] }',
      ].join('\n'),
  },
  {
    value: 'curl',
    label: 'curl',
    text: () => {
      const now = BigInt(Date.now()) * 1_000_000n;
      const span =
        `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"hello","kind":2,` +
        `"startTimeUnixNano":"${now}","endTimeUnixNano":"${now + 25_000_000n}"}`;
      return [
        `curl -H 'content-type: application/json' http://${host()}:4318/v1/traces -d \\`,
        ` '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},`,
        `   "scopeSpans":[{"spans":[${span}]}]}]}'`,
      ].join('\n');
    },
  },
];

export function NoData({ onRetry }: { onRetry: () => void }) {
  const [kind, setKind] = useState(SNIPPETS[0].value);
  const snippet = (SNIPPETS.find((one) => one.value === kind) ?? SNIPPETS[0]).text();
  return (
    <Notice
      title="No traces yet"
      actions={
        <Button variant="light" onClick={onRetry}>
          Look again
        </Button>
      }
    >
      <p>
        Point an OpenTelemetry SDK or a Collector at this server; traces appear here as soon as they are
        acknowledged.
      </p>
      <SegmentedControl
        size="xs"
        value={kind}
        onChange={setKind}
        data={SNIPPETS.map(({ value, label }) => ({ value, label }))}
      />
      <div className={classes.snippet}>
        <pre className="mono">{snippet}</pre>
        <CopyButton value={snippet}>
          {({ copied, copy }) => (
            <Button variant="default" size="compact-xs" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </div>
    </Notice>
  );
}
