// Duration over time, one mark a trace, on a canvas: outliers and bursts at a glance.
// A round mark is a trace without errors, a red cross one with errors.
import { useComputedColorScheme } from '@mantine/core';
import { type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { TraceSummary } from '../api/types.ts';
import { formatClock, formatDateTime, formatDuration, parseTimeMs } from '../lib/format.ts';
import type { Interval } from '../lib/time_range.ts';
import { prepareCanvas, useSize } from '../lib/use_size.ts';
import { makeScale, nearest, type Point, type Scale } from './scatter_scale.ts';
import classes from './search.module.css';

export const SCATTER_HEIGHT = 104;
const HIT_RADIUS_PX = 14;
/** A shorter drag is a click. */
const DRAG_MIN_PX = 5;

interface ScatterProps {
  traces: TraceSummary[];
  interval: Interval | undefined;
  /** All traces of the interval are there: the axis shows all of it. */
  whole: boolean;
  selected: number;
  onOpen: (index: number) => void;
  onZoom: (interval: Interval) => void;
}

export function Scatter({ traces, interval, whole, selected, onOpen, onZoom }: ScatterProps) {
  const [boxRef, size] = useSize<HTMLDivElement>();
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme('light');
  const [hover, setHover] = useState(-1);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const points = useMemo(() => toPoints(traces), [traces]);
  const scale = useMemo(
    () => makeScale(points, interval, whole, size.width, SCATTER_HEIGHT),
    [points, interval, whole, size.width],
  );

  useEffect(() => {
    const canvas = canvasRef.current;
    if (!canvas || size.width === 0) return;
    const context = prepareCanvas(canvas, size.width, SCATTER_HEIGHT);
    if (context) draw(context, points, scale, hover >= 0 ? hover : selected, scheme);
  }, [points, scale, size.width, hover, selected, scheme]);

  const position = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onMove = (event: PointerEvent) => {
    const { x, y } = position(event);
    if (drag) setDrag({ ...drag, to: x });
    else setHover(nearest(points, scale, x, y, HIT_RADIUS_PX));
  };
  const onUp = (event: PointerEvent) => {
    const { x, y } = position(event);
    if (drag && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX) {
      const [startMs, endMs] = [drag.from, drag.to].sort((a, b) => a - b).map(scale.timeOf);
      onZoom({ startMs, endMs: Math.max(endMs, startMs + 1) });
    } else {
      const hit = nearest(points, scale, x, y, HIT_RADIUS_PX);
      if (hit >= 0) onOpen(points[hit].index);
    }
    setDrag(undefined);
  };

  return (
    <div ref={boxRef} className={classes.scatter} style={{ height: SCATTER_HEIGHT }}>
      <canvas
        ref={canvasRef}
        role="img"
        aria-label="Duration of the traces over time; the table below lists the same traces"
        data-hit={hover >= 0 || undefined}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ from: position(event).x, to: position(event).x });
        }}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerLeave={() => setHover(-1)}
      />
      {drag && <Band from={drag.from} to={drag.to} />}
      {!drag && hover >= 0 && points[hover] && (
        <Hint point={points[hover]} trace={traces[points[hover].index]} scale={scale} />
      )}
    </div>
  );
}

function Band({ from, to }: { from: number; to: number }) {
  return <div className={classes.band} style={{ left: Math.min(from, to), width: Math.abs(to - from) }} />;
}

function Hint({ point, trace, scale }: { point: Point; trace: TraceSummary | undefined; scale: Scale }) {
  if (!trace) return null;
  const right = scale.x(point.timeMs) > scale.width * 0.6;
  return (
    <div
      className={classes.hint}
      style={
        right ? { right: scale.width - scale.x(point.timeMs) + 12 } : { left: scale.x(point.timeMs) + 12 }
      }
    >
      <strong>{trace.root_service}</strong> {trace.root_operation}
      <div className="dim">
        {formatDuration(trace.duration_ns)} · {formatDateTime(point.timeMs, Date.now())}
      </div>
    </div>
  );
}

function toPoints(traces: TraceSummary[]): Point[] {
  return traces.map((trace, index) => ({
    index,
    timeMs: parseTimeMs(trace.start_time),
    durationNs: Math.max(1, trace.duration_ns),
    error: trace.error_count > 0,
  }));
}

function draw(
  context: CanvasRenderingContext2D,
  points: Point[],
  scale: Scale,
  marked: number,
  scheme: string,
) {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  drawAxes(context, scale, color('--line'), color('--faint'));
  context.globalAlpha = scheme === 'dark' ? 0.75 : 0.6;
  context.fillStyle = color('--accent');
  for (const point of points) {
    if (point.error) continue;
    context.beginPath();
    context.arc(scale.x(point.timeMs), scale.y(point.durationNs), 3, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
  context.strokeStyle = color('--error');
  context.lineWidth = 1.8;
  for (const point of points) {
    if (!point.error) continue;
    const [x, y] = [scale.x(point.timeMs), scale.y(point.durationNs)];
    context.beginPath();
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x + 3, y - 3);
    context.lineTo(x - 3, y + 3);
    context.stroke();
  }
  const point = points[marked];
  if (!point) return;
  context.strokeStyle = color('--text');
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(scale.x(point.timeMs), scale.y(point.durationNs), 6.5, 0, 7);
  context.stroke();
}

function drawAxes(context: CanvasRenderingContext2D, scale: Scale, line: string, text: string) {
  context.font = '11px system-ui, sans-serif';
  context.strokeStyle = line;
  context.fillStyle = text;
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const ns of scale.yTicks) {
    const y = Math.round(scale.y(ns)) + 0.5;
    context.beginPath();
    context.moveTo(scale.left, y);
    context.lineTo(scale.width - scale.right, y);
    context.stroke();
    context.fillText(axisText(ns), scale.left - 8, y);
  }
  context.textBaseline = 'alphabetic';
  for (const ms of scale.xTicks) {
    const x = scale.x(ms);
    context.textAlign = x > scale.width - 60 ? 'right' : 'center';
    context.fillText(tickText(ms, scale), x, scale.height - 4);
  }
}

/** Powers of ten stay short: 100 s, not 1 min 40 s. */
function axisText(ns: number): string {
  return ns >= 1e9 ? `${ns / 1e9} s` : formatDuration(ns);
}

function tickText(ms: number, scale: Scale): string {
  const span = scale.endMs - scale.startMs;
  if (span > 36 * 3_600_000) return formatDateTime(ms, 0).slice(5, 16);
  return formatClock(ms).slice(0, span < 10_000 ? 12 : 8);
}
