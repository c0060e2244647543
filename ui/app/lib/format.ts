// Numbers and times as text. Durations are nanoseconds; one format everywhere, three digits at most.

const UNITS: [suffix: string, ns: number][] = [
  ['d', 86_400e9],
  ['h', 3_600e9],
  ['min', 60e9],
  ['s', 1e9],
  ['ms', 1e6],
  ['µs', 1e3],
  ['ns', 1],
];

export function formatDuration(ns: number): string {
  if (!Number.isFinite(ns)) return '–';
  if (ns === 0) return '0';
  const sign = ns < 0 ? '−' : '';
  const size = Math.abs(ns);
  const at = UNITS.findIndex(([, unit]) => size >= unit);
  if (at < 0) return `${sign}${trimmed(size)} ns`;
  const [suffix, unit] = UNITS[at];
  // Above a minute two units read better than decimals: 2 min 5 s.
  if (unit >= 60e9) {
    const [nextSuffix, nextUnit] = UNITS[at + 1];
    const whole = Math.floor(size / unit);
    const rest = Math.floor((size - whole * unit) / nextUnit);
    return `${sign}${whole} ${suffix}${rest ? ` ${rest} ${nextSuffix}` : ''}`;
  }
  const value = size / unit;
  // 999.6 µs must not become "1000 µs".
  if (Number(trimmed(value)) >= 1000 && at > 0 && UNITS[at - 1][1] < 60e9)
    return `${sign}1 ${UNITS[at - 1][0]}`;
  return `${sign}${trimmed(value)} ${suffix}`;
}

function trimmed(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

const DURATION_TEXT = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|μs|ms|s|m|min|h|d)?\s*$/i;
const DURATION_UNITS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3_600e9,
  d: 86_400e9,
};

/** Nanoseconds of "250ms", "1.5 s"; a bare number counts as milliseconds; undefined if it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_TEXT.exec(text);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * DURATION_UNITS[(match[2] ?? 'ms').toLowerCase()]);
}

const COUNT = new Intl.NumberFormat('en-US');

/** 12345 → "12,345". */
export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** "1 span", "2 spans". */
export function plural(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? '' : 's'}`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** Local time of a day: 14:03:07.123. */
export function formatClock(ms: number): string {
  const date = new Date(ms);
  const fraction = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${fraction}`;
}

export function formatDate(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Local date and time; today's date is left out. */
export function formatDateTime(ms: number, nowMs: number): string {
  const day = formatDate(ms);
  return day === formatDate(nowMs) ? formatClock(ms) : `${day} ${formatClock(ms)}`;
}

const AGES: [seconds: number, suffix: string][] = [
  [365 * 86_400, 'y'],
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** "3 min ago", "just now", "in 5 s". */
export function formatAge(ms: number, nowMs: number): string {
  const seconds = (nowMs - ms) / 1000;
  const age = AGES.find(([size]) => Math.abs(seconds) >= size);
  if (!age) return 'just now';
  const text = `${Math.floor(Math.abs(seconds) / age[0])} ${age[1]}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** Milliseconds of an RFC 3339 time with any number of fraction digits. */
export function parseTimeMs(text: string): number {
  const match = /^(.*?)(\.\d+)?(Z|[+-]\d\d:?\d\d)$/.exec(text);
  if (!match) return Date.parse(text);
  const whole = Date.parse(`${match[1]}${match[3]}`);
  return whole + Number(match[2] ?? 0) * 1000;
}

/** Nanoseconds since the epoch, exact, of an RFC 3339 time. */
export function parseTimeNs(text: string): bigint {
  const match = /^(.*?)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)$/.exec(text);
  if (!match) return BigInt(Math.round(Date.parse(text) || 0)) * 1_000_000n;
  const seconds = BigInt(Math.round(Date.parse(`${match[1]}${match[3]}`) || 0)) * 1_000_000n;
  return seconds + BigInt((match[2] ?? '0').padEnd(9, '0'));
}

/** Round steps (1, 2, 5 × 10ⁿ) for an axis that wants about `count` of them over `span`. */
export function niceStep(span: number, count: number): number {
  if (!(span > 0)) return 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  return (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10) * power;
}
