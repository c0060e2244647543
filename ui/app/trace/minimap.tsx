// The whole trace in 60 pixels; drag over it to zoom, drag the window to move it, double click for all.
import { useComputedColorScheme } from '@mantine/core';
import { type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { serviceColor } from '../lib/colors.ts';
import { formatDuration } from '../lib/format.ts';
import { prepareCanvas, useSize } from '../lib/use_size.ts';
import type { TraceTable } from './table.ts';
import classes from './trace.module.css';
import { FLAG } from './tree.ts';
import { clampViewport, fullViewport, isFull, pan, ticks, type Viewport } from './viewport.ts';

const HEIGHT = 60;
const TOP = 15;
const DRAG_MIN_PX = 4;
const ERRORS_LARGE_MAX = 100;

interface MinimapProps {
  table: TraceTable;
  viewport: Viewport;
  onViewport: (viewport: Viewport) => void;
}

export function Minimap({ table, viewport, onViewport }: MinimapProps) {
  const [boxRef, { width }] = useSize<HTMLDivElement>();
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme('light');
  const full = fullViewport(table.durationNs);
  const toX = (ns: number) => (ns / full.to) * width;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the scheme changes the colours read from CSS
  useEffect(() => {
    const context = canvasRef.current && width > 0 ? prepareCanvas(canvasRef.current, width, HEIGHT) : null;
    if (context) drawMinimap(context, table, width);
  }, [table, width, scheme]);

  const drag = useMinimapDrag({ width, durationNs: table.durationNs, viewport, onViewport });
  const zoomed = !isFull(viewport, table.durationNs);
  const labels = useMemo(
    () => ticks({ from: 0, to: full.to }).map((at) => [at, (at / full.to) * 100] as const),
    [full.to],
  );
  return (
    <div
      ref={boxRef}
      className={classes.minimap}
      style={{ height: HEIGHT }}
      {...drag.handlers}
      onDoubleClick={() => onViewport(full)}
      title={zoomed ? 'Double click: the whole trace' : undefined}
    >
      <canvas ref={canvasRef} role="img" aria-label="Overview of the trace; drag to zoom" />
      {labels.map(([at, left]) => (
        <span
          key={at}
          className={classes.minimapTick}
          style={{ left: `${left}%` }}
          data-last={left > 94 || undefined}
        >
          {formatDuration(at)}
        </span>
      ))}
      {zoomed && (
        <>
          <i className={classes.shade} style={{ left: 0, width: toX(viewport.from) }} />
          <i className={classes.shade} style={{ left: toX(viewport.to), right: 0 }} />
          <i
            className={classes.window}
            style={{ left: toX(viewport.from), width: toX(viewport.to) - toX(viewport.from) }}
          />
        </>
      )}
      {drag.band && <i className={classes.band} style={drag.band} />}
    </div>
  );
}

interface DragProps {
  width: number;
  durationNs: number;
  viewport: Viewport;
  onViewport: (viewport: Viewport) => void;
}

type Drag = { kind: 'select' | 'move'; from: number; to: number; start: Viewport };

function useMinimapDrag({ width, durationNs, viewport, onViewport }: DragProps) {
  const [drag, setDrag] = useState<Drag>();
  const full = fullViewport(durationNs);
  const toNs = (x: number) => (Math.min(Math.max(x, 0), width) / Math.max(width, 1)) * full.to;
  const xOf = (event: PointerEvent) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const from = xOf(event);
      const inside = toNs(from) > viewport.from && toNs(from) < viewport.to && !isFull(viewport, durationNs);
      setDrag({ kind: inside && !event.shiftKey ? 'move' : 'select', from, to: from, start: viewport });
    },
    onPointerMove: (event: PointerEvent) => {
      if (!drag) return;
      const to = xOf(event);
      setDrag({ ...drag, to });
      if (drag.kind === 'move')
        onViewport(pan(drag.start, ((to - drag.from) / Math.max(width, 1)) * full.to, durationNs));
    },
    onPointerUp: () => {
      if (drag?.kind === 'select' && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX) {
        const [from, to] = [toNs(drag.from), toNs(drag.to)].sort((a, b) => a - b);
        onViewport(clampViewport({ from, to }, durationNs));
      }
      setDrag(undefined);
    },
    onPointerCancel: () => setDrag(undefined),
  };
  const selecting = drag?.kind === 'select' && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX;
  const band = selecting
    ? { left: Math.min(drag.from, drag.to), width: Math.abs(drag.to - drag.from) }
    : undefined;
  return { handlers, band };
}

function drawMinimap(context: CanvasRenderingContext2D, table: TraceTable, width: number): void {
  const colors = table.services.map(serviceColor);
  const room = HEIGHT - TOP - 3;
  const laneHeight = Math.max(1, Math.min(4, room / table.count));
  const total = Math.max(table.durationNs, 1);
  const y = (row: number) =>
    TOP + (table.count * laneHeight <= room ? row * laneHeight : (row / table.count) * (room - 1));
  const rect = (row: number) => {
    const x = (table.start[row] / total) * width;
    context.fillRect(
      x,
      y(row),
      Math.max((table.duration[row] / total) * width, 1),
      Math.max(laneHeight - 0.4, 0.8),
    );
  };
  context.globalAlpha = 0.9;
  for (let row = 0; row < table.count; row++) {
    context.fillStyle = colors[table.service[row]];
    rect(row);
  }
  context.globalAlpha = 1;
  drawErrors(context, table, (row) => (table.start[row] / total) * width, y);
}

/** Marks as large as their number allows: a single error must be seen, a thousand must not blot. */
function drawErrors(
  context: CanvasRenderingContext2D,
  table: TraceTable,
  x: (row: number) => number,
  y: (row: number) => number,
): void {
  const errors = [];
  for (let row = 0; row < table.count; row++) if (table.flags[row] & FLAG.ERROR) errors.push(row);
  const size = errors.length > ERRORS_LARGE_MAX ? 1.5 : 4;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--error').trim();
  for (const row of errors) context.fillRect(x(row) - size / 2, y(row) - size / 4, size, size);
}
