// The part of the trace's time that is shown, in nanoseconds since its start.
import { niceStep } from '../lib/format.ts';

export interface Viewport {
  from: number;
  to: number;
}

/** Nothing shorter can be zoomed to. */
const SPAN_MIN_NS = 10;

export function fullViewport(durationNs: number): Viewport {
  return { from: 0, to: Math.max(durationNs, SPAN_MIN_NS) };
}

export function isFull(viewport: Viewport, durationNs: number): boolean {
  const full = fullViewport(durationNs);
  return viewport.from <= full.from && viewport.to >= full.to;
}

/** Inside the trace, and of a size that can be drawn. */
export function clampViewport(viewport: Viewport, durationNs: number): Viewport {
  const full = fullViewport(durationNs);
  const span = Math.min(Math.max(viewport.to - viewport.from, SPAN_MIN_NS), full.to);
  const from = Math.min(Math.max(viewport.from, 0), full.to - span);
  return { from: Math.round(from), to: Math.round(from + span) };
}

/** By a factor (below 1 = in) around a moment, which keeps its place. */
export function zoomAround(viewport: Viewport, at: number, factor: number, durationNs: number): Viewport {
  const span = (viewport.to - viewport.from) * factor;
  const share = (at - viewport.from) / (viewport.to - viewport.from);
  const from = at - span * share;
  return clampViewport({ from, to: from + span }, durationNs);
}

export function pan(viewport: Viewport, by: number, durationNs: number): Viewport {
  return clampViewport({ from: viewport.from + by, to: viewport.to + by }, durationNs);
}

/** "1200-53000", as it stands in the URL. */
export function formatViewport(viewport: Viewport, durationNs: number): string | undefined {
  return isFull(viewport, durationNs) ? undefined : `${Math.round(viewport.from)}-${Math.round(viewport.to)}`;
}

export function parseViewport(text: string | undefined, durationNs: number): Viewport {
  const match = /^(\d{1,16})-(\d{1,16})$/.exec(text ?? '');
  if (!match || Number(match[2]) <= Number(match[1])) return fullViewport(durationNs);
  return clampViewport({ from: Number(match[1]), to: Number(match[2]) }, durationNs);
}

/** Place of a moment, in percent of the width; outside 0–100 when it is not in sight. */
export function percent(viewport: Viewport, at: number): number {
  return ((at - viewport.from) / (viewport.to - viewport.from)) * 100;
}

const TICKS = 5;
const TICKS_MAX = 8;

/** About five round times, the first at or after the left edge. */
export function ticks(viewport: Viewport): number[] {
  const step = niceStep(viewport.to - viewport.from, TICKS);
  const result: number[] = [];
  for (
    let at = Math.ceil(viewport.from / step) * step;
    at <= viewport.to && result.length < TICKS_MAX;
    at += step
  ) {
    result.push(at);
  }
  return result;
}
