import { describe, expect, it } from 'vitest';
import { readTraceQuery, traceParams } from '../search/query.ts';
import { makeScale, nearest } from '../search/scatter_scale.ts';
import { readTraceView } from '../trace/view_state.ts';
import {
  clampViewport,
  formatViewport,
  isFull,
  pan,
  parseViewport,
  ticks,
  zoomAround,
} from '../trace/viewport.ts';
import { contrast, hashName, PALETTE, serviceColor } from './colors.ts';
import {
  formatAge,
  formatDuration,
  niceStep,
  parseDuration,
  parseTimeMs,
  parseTimeNs,
  plural,
} from './format.ts';
import { parseSearch, stringifySearch } from './search_params.ts';
import { describeRange, resolveRange, widerRange } from './time_range.ts';

describe('durations', () => {
  it.each([
    [0, '0'],
    [7, '7 ns'],
    [1_500, '1.5 µs'],
    [999_600, '1 ms'],
    [12_345_678, '12.3 ms'],
    [999_999_999, '1 s'],
    [59_400_000_000, '59.4 s'],
    [125e9, '2 min 5 s'],
    [7_200e9, '2 h'],
    [-2_500_000, '−2.5 ms'],
    [Number.NaN, '–'],
  ])('%d is written %s', (ns, text) => expect(formatDuration(ns)).toBe(text));

  it.each([
    ['250ms', 250e6],
    ['1.5 s', 1.5e9],
    ['20', 20e6],
    ['3us', 3e3],
    ['2m', 120e9],
    ['x', undefined],
    ['-1s', undefined],
    ['', undefined],
  ])('%s is read', (text, ns) => expect(parseDuration(text)).toBe(ns));
});

describe('times', () => {
  it('keep their nanoseconds', () => {
    expect(parseTimeNs('2023-11-14T22:13:20.123456789Z')).toBe(1_700_000_000_123_456_789n);
    expect(parseTimeNs('2023-11-15T00:13:20.5+02:00')).toBe(1_700_000_000_500_000_000n);
    expect(parseTimeMs('2023-11-14T22:13:20.123456789Z')).toBeCloseTo(1_700_000_000_123.46, 1);
  });

  it('are told as an age', () => {
    expect(formatAge(0, 400)).toBe('just now');
    expect(formatAge(0, 90_000)).toBe('1 min ago');
    expect(formatAge(5_000, 0)).toBe('in 5 s');
  });

  it('have round steps', () => {
    expect(niceStep(100, 5)).toBe(20);
    expect(niceStep(0, 5)).toBe(1);
    expect(plural(1, 'span')).toBe('1 span');
    expect(plural(2_000, 'span')).toBe('2,000 spans');
  });
});

describe('time ranges', () => {
  it('resolve at a moment', () => {
    expect(resolveRange({}, 10_000_000)).toEqual({ startMs: 6_400_000, endMs: 10_000_000 });
    expect(resolveRange({ range: '90m' }, 10_000_000)).toEqual({ startMs: 4_600_000, endMs: 10_000_000 });
    expect(resolveRange({ range: 'all' }, 1)).toBeUndefined();
    const start = '1970-01-01T00:00:01.000Z';
    expect(resolveRange({ start, end: '1970-01-01T00:00:02.000Z' }, 9)).toEqual({
      startMs: 1000,
      endMs: 2000,
    });
  });

  it('widen step by step up to all time', () => {
    expect(widerRange({ range: '15m' })).toEqual({ range: '1h' });
    expect(widerRange({})).toEqual({ range: '3h' });
    expect(widerRange({ range: '30d' })).toEqual({ range: 'all' });
    expect(describeRange({ range: '90m' })).toBe('Last 90m');
  });
});

describe('colours', () => {
  it('depend on the name alone and spread', () => {
    expect(serviceColor('cart')).toBe(serviceColor('cart'));
    const used = new Set(Array.from({ length: 200 }, (_, i) => hashName(`service-${i}`) % PALETTE.length));
    expect(used.size).toBe(PALETTE.length);
  });

  it.each(PALETTE)('%s can be seen on both grounds', (color) => {
    expect(contrast(color, '#ffffff')).toBeGreaterThan(2.9);
    expect(contrast(color, '#131519')).toBeGreaterThan(2.9);
  });
});

describe('the URL', () => {
  it('holds lists and plain text', () => {
    const search = { service: 'a b', filter: ['x=1', 'y>=2'], min: undefined };
    expect(stringifySearch(search)).toBe('?service=a+b&filter=x=1&filter=y>=2');
    expect(parseSearch(stringifySearch(search))).toEqual({ service: 'a b', filter: ['x=1', 'y>=2'] });
    expect(stringifySearch({})).toBe('');
    expect(parseSearch(stringifySearch({ filter: ['k=a&b=%3D+c#'] }))).toEqual({ filter: 'k=a&b=%3D+c#' });
  });

  it('is read without failing', () => {
    const read = (text: string) => readTraceQuery(parseSearch(text) as never);
    expect(read('?filter=a=1&status=odd&limit=7&min=x')).toEqual({ filter: ['a=1'] });
    expect(read('?range=3h&start=2023-01-01&end=2023-01-02')).toEqual({
      filter: [],
      start: '2023-01-01',
      end: '2023-01-02',
    });
    expect(readTraceView({ span: 'XYZ', zoom: '1-', tab: 'none' } as never)).toEqual({});
    expect(readTraceView({ span: 'AB~2', zoom: '1-9', q: 'x', tab: 'logs' } as never)).toEqual({
      span: 'ab~2',
      zoom: '1-9',
      q: 'x',
      tab: 'logs',
    });
  });

  it('becomes parameters of the API', () => {
    const query = readTraceQuery({ service: 'cart', filter: ['a=1'], min: '1.5s', status: 'error' } as never);
    expect(traceParams(query, { startMs: 1000, endMs: 2000 })).toMatchObject({
      service: 'cart',
      filter: ['a=1'],
      min_duration: '1500000000ns',
      status: 'error',
      start: '1970-01-01T00:00:01.000Z',
      end: undefined,
      limit: 50,
    });
  });
});

describe('the viewport', () => {
  it('stays inside the trace', () => {
    expect(clampViewport({ from: -50, to: 50 }, 1000)).toEqual({ from: 0, to: 100 });
    expect(clampViewport({ from: 950, to: 1050 }, 1000)).toEqual({ from: 900, to: 1000 });
    expect(clampViewport({ from: 5, to: 5 }, 1000)).toEqual({ from: 5, to: 15 });
    expect(pan({ from: 0, to: 100 }, 2000, 1000)).toEqual({ from: 900, to: 1000 });
    expect(isFull(zoomAround({ from: 100, to: 200 }, 150, 100, 1000), 1000)).toBe(true);
    expect(zoomAround({ from: 0, to: 1000 }, 500, 0.5, 1000)).toEqual({ from: 250, to: 750 });
  });

  it('goes through the URL', () => {
    expect(formatViewport({ from: 0, to: 1000 }, 1000)).toBeUndefined();
    expect(parseViewport(formatViewport({ from: 10, to: 500 }, 1000), 1000)).toEqual({ from: 10, to: 500 });
    expect(parseViewport('9-3', 1000)).toEqual({ from: 0, to: 1000 });
    expect(parseViewport(undefined, 0)).toEqual({ from: 0, to: 10 });
  });

  it('has about five round ticks', () => {
    expect(ticks({ from: 0, to: 261 })).toEqual([0, 50, 100, 150, 200, 250]);
    expect(ticks({ from: 0, to: 98 })).toEqual([0, 20, 40, 60, 80]);
    expect(ticks({ from: 30, to: 80 })).toEqual([30, 40, 50, 60, 70, 80]);
  });
});

describe('the scatter plot', () => {
  const points = [
    { index: 0, timeMs: 1000, durationNs: 1e6, error: false },
    { index: 1, timeMs: 2000, durationNs: 1e9, error: true },
  ];
  it('finds the point under the pointer', () => {
    const scale = makeScale(points, { startMs: 0, endMs: 3000 }, true, 900, 100);
    expect(nearest(points, scale, scale.x(2000) + 3, scale.y(1e9) - 3, 10)).toBe(1);
    expect(nearest(points, scale, 0, 0, 10)).toBe(-1);
    expect(scale.timeOf(scale.x(1234))).toBeCloseTo(1234);
    expect(scale.y(1e6)).toBeGreaterThan(scale.y(1e9));
  });

  it('needs no points', () => {
    expect(makeScale([], undefined, true, 900, 100).xTicks.every(Number.isFinite)).toBe(true);
  });
});
