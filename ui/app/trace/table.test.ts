import { describe, expect, it } from 'vitest';
import { parseTrace } from '../../dev/whole_trace.ts';
import { exactFilter, formatFilter, parseFilter } from '../search/filters.ts';
import { barSegment, labelPlace, selfSegments } from './bar.ts';
import { spanDetail } from './detail.ts';
import { findSpans, splitWords } from './find.ts';
import { alignLogs, logsByRow, severityOf } from './logs.ts';
import type { OtlpSpan, OtlpTrace } from './otlp.ts';
import { valueText } from './otlp.ts';
import { allCollapsed, isError, nextRow, revealed, rowsByStart, toggled, visibleRows } from './rows.ts';
import { spanKeys } from './selection.ts';
import { traceFigures } from './summary.ts';
import { FLAG } from './tree.ts';

const BASE = 1_700_000_000_123_456_789n;

function span(
  spanId: string,
  parentSpanId: string,
  start: number,
  end: number,
  more: Partial<OtlpSpan> = {},
): OtlpSpan {
  return {
    spanId,
    parentSpanId,
    name: `op ${spanId}`,
    kind: 2,
    startTimeUnixNano: String(BASE + BigInt(start)),
    endTimeUnixNano: String(BASE + BigInt(end)),
    ...more,
  };
}

const TRACE: OtlpTrace = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
      scopeSpans: [
        {
          scope: { name: 'lib' },
          spans: [
            span('b', 'a', 100, 400, { events: [{ timeUnixNano: String(BASE + 150n), name: 'hit' }] }),
            span('c', 'a', 300, 700, { attributes: [{ key: 'http.route', value: { stringValue: '/Pay' } }] }),
            span('a', '', 0, 1000),
          ],
        },
      ],
    },
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'bank' } }] },
      scopeSpans: [
        {
          spans: [
            span('d', 'c', 350, 600, { status: { code: 2, message: 'Card declined' } }),
            span('e', '00', 1200, 1300, { status: { code: 'STATUS_CODE_OK' } }),
          ],
        },
      ],
    },
  ],
};

describe('parseTrace', () => {
  const parsed = parseTrace('t', TRACE);
  const { table } = parsed;

  it('lays spans out as columns in tree order', () => {
    expect(table.spanIds).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect([...table.parent]).toEqual([-1, 0, 0, 2, -1]);
    expect([...table.end]).toEqual([4, 2, 4, 4, 5]);
    expect([...table.start]).toEqual([0, 100, 300, 350, 1200]);
    expect(table.startUnixNs).toBe(BASE);
    expect(table.durationNs).toBe(1300);
    expect(Array.from(table.service, (at) => table.services[at])).toEqual([
      'shop',
      'shop',
      'shop',
      'bank',
      'bank',
    ]);
    expect([...table.eventStart]).toEqual([0, 0, 1, 1, 1, 1]);
    expect([...table.eventTimes]).toEqual([150]);
  });

  it('measures the time in which no child ran', () => {
    // a: 1000 less the union of 100–400 and 300–700.
    expect([...table.self]).toEqual([400, 300, 150, 250, 100]);
  });

  it('marks errors and those above them', () => {
    const { ERROR, ERROR_BELOW } = FLAG;
    expect([...table.flags]).toEqual([ERROR_BELOW, 0, ERROR_BELOW, ERROR, 0]);
    const figures = traceFigures(table);
    expect(figures).toMatchObject({ root: 0, errors: 1, depth: 3, orphans: 0 });
    expect(figures.services.map(({ name, spans, errors }) => [name, spans, errors])).toEqual([
      ['shop', 3, 0],
      ['bank', 2, 1],
    ]);
  });

  it('notes failed statuses and databases', () => {
    const note = (attributes: OtlpSpan['attributes']) => {
      const spans = [span('a', '', 0, 1, { attributes })];
      const { table } = parseTrace('t', { resourceSpans: [{ scopeSpans: [{ spans }] }] });
      return table.notes[table.note[0]];
    };
    expect(note([{ key: 'http.response.status_code', value: { intValue: '503' } }])).toBe('HTTP 503');
    expect(note([{ key: 'http.status_code', value: { intValue: 200 } }])).toBe('');
    expect(note([{ key: 'rpc.grpc.status_code', value: { intValue: 14 } }])).toBe('gRPC 14');
    expect(note([{ key: 'db.system', value: { stringValue: 'redis' } }])).toBe('redis');
    expect(note(undefined)).toBe('');
  });

  it('is empty for an empty answer', () => {
    expect(parseTrace('t', {}).table.count).toBe(0);
    expect(parseTrace('t', { resourceSpans: [{ scopeSpans: [{}] }] }).table.count).toBe(0);
  });

  it('tells all of a span', () => {
    const detail = spanDetail(parsed.sources[3]);
    expect(detail).toMatchObject({ kind: 'Server', status: 'Error', statusMessage: 'Card declined' });
    expect(spanDetail(parsed.sources[1]).events).toEqual([{ name: 'hit', offsetNs: 50, attributes: [] }]);
  });

  it('finds spans by every word, in names, attributes and messages', () => {
    const found = (text: string) => [...findSpans(parsed.table, parsed.sources, text)];
    expect(found('route=/pay')).toEqual([2]);
    expect(found('BANK declined')).toEqual([3]);
    expect(found('"op b"')).toEqual([1]);
    expect(found('shop nothing')).toEqual([]);
    expect(found('  ')).toEqual([]);
    expect(splitWords('a "b c" d')).toEqual(['a', 'b c', 'd']);
  });

  it('folds and unfolds', () => {
    const rows = (collapsed: Iterable<number>) => [...visibleRows(table, new Set(collapsed)).rows];
    expect(rows([])).toEqual([0, 1, 2, 3, 4]);
    expect(rows([0])).toEqual([0, 4]);
    expect(rows(allCollapsed(table))).toEqual([0, 1, 2, 4]);
    expect([...visibleRows(table, new Set([0])).placeOf]).toEqual([0, 0, 0, 0, 1]);
    expect([...revealed(table, new Set([0, 2]), 3)]).toEqual([]);
    expect([...toggled(new Set([1]), 1)]).toEqual([]);
  });

  it('steps through errors and in time', () => {
    expect(nextRow(table, -1, 1, isError(table))).toBe(3);
    expect(nextRow(table, 3, 1, isError(table))).toBe(3);
    expect(nextRow(table, 0, -1, isError(table))).toBe(3);
    expect(nextRow(table, 0, 1, () => false)).toBe(-1);
    expect([...rowsByStart(table)]).toEqual([0, 1, 2, 3, 4]);
  });

  it('draws the parts without children solid', () => {
    const viewport = { from: 0, to: 1000 };
    const bar = barSegment(table, 0, viewport);
    expect(bar).toEqual({ left: 0, width: 100 });
    if (bar)
      expect(selfSegments(table, 0, bar, viewport)).toEqual([
        { left: 0, width: 10 },
        { left: 70, width: 30 },
      ]);
    expect(barSegment(table, 4, viewport)).toBeUndefined();
    expect(labelPlace({ left: 10, width: 20 }).inside).toBe(false);
    expect(labelPlace({ left: 0, width: 100 }).inside).toBe(true);
  });

  it('puts logs to their spans and times', () => {
    const record = (time: string, span_id: string | null, severity_number: number) => ({
      time,
      span_id,
      severity_number,
      severity_text: '',
      body: { a: 1 },
      service_name: null,
      attributes: {},
      resource_attributes: {},
    });
    const logs = alignLogs(table, spanKeys(table), [
      record('2023-11-14T22:13:20.123457289Z', 'd', 17),
      record('2023-11-14T22:13:20.123456799Z', 'gone', 9),
    ]);
    expect(logs.map(({ offsetNs, row, severity, body }) => [offsetNs, row, severity, body])).toEqual([
      [10, -1, 'info', '{"a":1}'],
      [500, 3, 'error', '{"a":1}'],
    ]);
    expect([...logsByRow(logs).keys()]).toEqual([3]);
    expect(severityOf({ ...record('', null, 0), severity_text: 'Warning' })).toBe('warn');
  });
});

describe('spanKeys', () => {
  it('tells spans with one id apart', () => {
    const { table } = parseTrace('t', {
      resourceSpans: [
        { scopeSpans: [{ spans: [span('a', '', 0, 9), span('a', '', 1, 5), span('a', '', 2, 5)] }] },
      ],
    });
    const keys = spanKeys(table);
    const all = [0, 1, 2].map(keys.keyOf);
    expect(new Set(all).size).toBe(3);
    expect(all[0]).toBe('a');
    expect(all.map(keys.rowOf)).toEqual([0, 1, 2]);
    expect(keys.rowOf('zz')).toBe(-1);
  });
});

describe('values', () => {
  it('become text', () => {
    expect(valueText({ intValue: '9223372036854775807' })).toBe('9223372036854775807');
    expect(valueText({ boolValue: false })).toBe('false');
    expect(valueText({ doubleValue: 'NaN' })).toBe('NaN');
    expect(valueText({ arrayValue: { values: [{ intValue: 1 }, { stringValue: 'x' }] } })).toBe('[1,"x"]');
    expect(valueText({ kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } })).toBe(
      '{"k":true}',
    );
    expect(valueText({})).toBe('');
  });
});

describe('filters', () => {
  it.each([
    ['http.status_code>=500', { key: 'http.status_code', operator: '>=', value: '500' }],
    ['a = b=c', { key: 'a', operator: '=', value: 'b=c' }],
    ['url!~^/x', { key: 'url', operator: '!~', value: '^/x' }],
    ['user.id', { key: 'user.id', operator: undefined, value: '' }],
    ['!user.id', { key: '!user.id', operator: undefined, value: '' }],
    ['"a=b"=c', { key: '"a=b"', operator: '=', value: 'c' }],
  ])('%s', (text, expected) => {
    expect(parseFilter(text)).toEqual(expected);
    expect(parseFilter(formatFilter(parseFilter(text)))).toEqual(expected);
  });

  it('ask for exactly one value', () => {
    expect(exactFilter('span', 'http.route', '/pay')).toBe('span.http.route=/pay');
    expect(exactFilter('resource', 'host', ' a ')).toBe('resource.host=" a "');
    expect(exactFilter('span', 'a=b', 'c')).toBe('"a=b"=c');
  });
});
