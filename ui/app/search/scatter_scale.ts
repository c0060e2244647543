// Where a trace lies on the scatter plot: time to the right, duration upward (logarithmic).
import type { Interval } from '../lib/time_range.ts';

export interface Point {
  /** Place in the list of traces. */
  index: number;
  timeMs: number;
  durationNs: number;
  error: boolean;
}

export interface Scale {
  width: number;
  height: number;
  left: number;
  right: number;
  startMs: number;
  endMs: number;
  x: (timeMs: number) => number;
  y: (durationNs: number) => number;
  timeOf: (x: number) => number;
  xTicks: number[];
  yTicks: number[];
}

const LEFT = 64;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 22;
const X_TICKS = 6;

/** `whole`: every trace of the interval is among the points; otherwise they cover just its end. */
export function makeScale(
  points: Point[],
  interval: Interval | undefined,
  whole: boolean,
  width: number,
  height: number,
): Scale {
  const [startMs, endMs] = timeBounds(points, interval, whole);
  const durations = points.map((point) => point.durationNs);
  let low = Math.floor(Math.log10(durations.reduce((a, b) => Math.min(a, b), 1e9)));
  const high = Math.ceil(Math.log10(durations.reduce((a, b) => Math.max(a, b), 10 ** (low + 1)) * 1.05));
  if (high - low < 2) low = high - 2;
  const inner = Math.max(1, width - LEFT - RIGHT);
  const x = (timeMs: number) => LEFT + ((timeMs - startMs) / (endMs - startMs)) * inner;
  const y = (durationNs: number) => {
    const share = (Math.log10(durationNs) - low) / (high - low);
    return height - BOTTOM - share * (height - TOP - BOTTOM);
  };
  const step = Math.max(1, Math.ceil((high - low) / 3));
  const yTicks: number[] = [];
  if (points.length > 0) for (let power = high; power >= low; power -= step) yTicks.push(10 ** power);
  return {
    width,
    height,
    left: LEFT,
    right: RIGHT,
    startMs,
    endMs,
    x,
    y,
    timeOf: (at) =>
      startMs + (Math.min(Math.max(at, LEFT), width - RIGHT) - LEFT) * ((endMs - startMs) / inner),
    xTicks: Array.from(
      { length: endMs - startMs > 1 ? X_TICKS : 0 },
      (_, i) => startMs + ((i + 0.5) / X_TICKS) * (endMs - startMs),
    ),
    yTicks,
  };
}

/** The searched interval, or for all time what the points span, with a little air. */
function timeBounds(points: Point[], interval: Interval | undefined, whole: boolean): [number, number] {
  const times = points.map((point) => point.timeMs);
  const first = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (interval && whole) return [Math.min(interval.startMs, first), Math.max(interval.endMs, last)];
  if (!Number.isFinite(first)) return [0, 1];
  const air = Math.max(1, (last - first) * 0.02);
  return [first - air, last + air];
}

/** The point under the pointer, or −1. */
export function nearest(points: Point[], scale: Scale, x: number, y: number, radius: number): number {
  let best = -1;
  let bestDistance = radius * radius;
  for (let i = 0; i < points.length; i++) {
    const distance = (scale.x(points[i].timeMs) - x) ** 2 + (scale.y(points[i].durationNs) - y) ** 2;
    if (distance <= bestDistance) {
      best = i;
      bestDistance = distance;
    }
  }
  return best;
}
