import { describe, expect, it } from 'vitest';
import { criticalFacts, skeletonBytes } from '../../dev/mock_skeleton.ts';
import { parseTrace } from '../../dev/whole_trace.ts';
import { criticalByRow } from './critical.ts';
import type { OtlpSpan, OtlpTrace } from './otlp.ts';
import { readSkeleton } from './skeleton.ts';
import { addRest, sourcesOf, tableOf } from './table.ts';
import { FLAG } from './tree.ts';

const BASE = 1_700_000_000_123_456_789n;

function span(
  spanId: string,
  parentSpanId: string,
  start: number,
  end: number,
  more: Partial<OtlpSpan> = {},
) {
  return {
    spanId: spanId.padStart(16, '0'),
    parentSpanId: parentSpanId.padStart(16, '0'),
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
          spans: [
            span('a', '', 0, 1000),
            span('b', 'a', 100, 400, { events: [{ timeUnixNano: String(BASE + 150n), name: 'hit' }] }),
            span('c', 'b', 500, 600, { status: { code: 2 } }),
            span('c', 'b', 550, 600, { attributes: [{ key: 'db.system', value: { stringValue: 'redis' } }] }),
            span('d', 'f', 300, 700, { kind: 3 }),
          ],
        },
      ],
    },
  ],
};

const read = (trace: OtlpTrace) => readSkeleton(skeletonBytes('t', trace).buffer as ArrayBuffer);

describe('readSkeleton', () => {
  const table = tableOf('t', read(TRACE));

  it('makes the table that the whole trace makes', () => {
    const whole = parseTrace('t', TRACE).table;
    const late = (flags: Uint8Array) => flags.map((bits) => bits & ~FLAG.LATE);
    expect(late(table.flags)).toEqual(late(whole.flags));
    for (const key of ['spanIds', 'start', 'duration', 'self', 'parent', 'end', 'depth', 'kind'] as const)
      expect(table[key], key).toEqual(whole[key]);
    expect(table.startUnixNs).toBe(BASE);
    expect(table.durationNs).toBe(whole.durationNs);
    expect(Array.from(table.name, (at) => table.names[at])).toEqual(
      Array.from(whole.name, (at) => whole.names[at]),
    );
  });

  it('tells late spans and those that share an id', () => {
    const row = (start: number) => table.start.indexOf(start);
    expect(table.flags[row(500)] & FLAG.LATE).toBeTruthy();
    expect(table.flags[row(100)] & FLAG.LATE).toBeFalsy();
    expect(table.flags[row(550)] & FLAG.DUPLICATE).toBeTruthy();
    expect(table.flags[row(300)] & FLAG.ORPHAN).toBeTruthy();
  });

  it('finds the full span of each row, also where two share an id', () => {
    const sources = sourcesOf(table, TRACE);
    sources.forEach((source, row) => {
      expect(source?.span.startTimeUnixNano).toBe(String(BASE + BigInt(table.start[row])));
    });
    addRest(table, sources);
    expect([...table.eventTimes]).toEqual([150]);
    expect(table.notes[table.note[table.start.indexOf(550)]]).toBe('redis');
  });

  it('is empty for an empty trace, and refuses what is no skeleton', () => {
    expect(tableOf('t', read({})).count).toBe(0);
    expect(() => readSkeleton(new ArrayBuffer(16))).toThrow('no skeleton');
  });
});

describe('criticalByRow', () => {
  it('puts pieces where the bars are, as sent', () => {
    const table = tableOf('t', read(TRACE));
    const facts = criticalFacts('t', TRACE);
    const path = criticalByRow(table, facts);
    expect(path.get(0)).toEqual([0, 100, 400, 1000]);
    expect(path.get(table.start.indexOf(100))).toEqual([100, 400]);
    const skew = { span: [facts.critical_path.span[0]], shift_ns: [40] };
    expect(criticalByRow(table, { ...facts, skew }).get(0)?.[0]).toBe(-40);
  });
});
