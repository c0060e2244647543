// The time range of a search, as the URL holds it: relative ("range=1h"), absolute (start and end), or all.

export interface TimeRange {
  /** "15m", "1h", "all"; absent when start and end are given. */
  range?: string;
  /** RFC 3339. */
  start?: string;
  end?: string;
}

export interface Interval {
  startMs: number;
  endMs: number;
}

export const RANGE_DEFAULT = '1h';
export const RANGE_ALL = 'all';
export const PRESETS: [value: string, label: string][] = [
  ['5m', 'Last 5 minutes'],
  ['15m', 'Last 15 minutes'],
  ['1h', 'Last hour'],
  ['3h', 'Last 3 hours'],
  ['12h', 'Last 12 hours'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  [RANGE_ALL, 'All time'],
];

const UNIT_MS: Record<string, number> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3 };
const RELATIVE = /^(\d{1,5})([smhdw])$/;

export function rangeMs(range: string): number | undefined {
  const match = RELATIVE.exec(range);
  return match ? Number(match[1]) * UNIT_MS[match[2]] : undefined;
}

/** The interval at a moment; undefined for all time. An unreadable range counts as the default. */
export function resolveRange(time: TimeRange, nowMs: number): Interval | undefined {
  const startMs = Date.parse(time.start ?? '');
  const endMs = Date.parse(time.end ?? '');
  if (!Number.isNaN(startMs) && !Number.isNaN(endMs)) return { startMs, endMs };
  if (time.range === RANGE_ALL) return undefined;
  const length = rangeMs(time.range ?? RANGE_DEFAULT) ?? UNIT_MS.h;
  return { startMs: nowMs - length, endMs: nowMs };
}

export function describeRange(time: TimeRange): string {
  if (time.start && time.end) return `${shortTime(time.start)} – ${shortTime(time.end)}`;
  const range = time.range ?? RANGE_DEFAULT;
  const preset = PRESETS.find(([value]) => value === range);
  return preset ? preset[1] : `Last ${range}`;
}

function shortTime(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  return date.toLocaleString('en-GB', {
    day: '2-digit',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}

/** The next wider range to offer when nothing was found. */
export function widerRange(time: TimeRange): TimeRange {
  if (time.start && time.end) return { range: RANGE_ALL };
  const length = rangeMs(time.range ?? RANGE_DEFAULT) ?? 0;
  const wider = PRESETS.find(([value]) => (rangeMs(value) ?? Number.POSITIVE_INFINITY) > length * 2);
  return { range: wider ? wider[0] : RANGE_ALL };
}
