// Tree and time line: virtual rows under a ruler, drag to zoom, a line under the pointer.
import { useVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, type ReactNode, type Ref, useEffect, useImperativeHandle, useRef } from 'react';
import { formatDuration } from '../lib/format.ts';
import type { CriticalPath } from './critical.ts';
import type { TraceLog } from './logs.ts';
import type { VisibleRows } from './rows.ts';
import { Splitter } from './splitter.tsx';
import type { TraceTable } from './table.ts';
import { useTimeline } from './use_timeline.ts';
import { percent, ticks, type Viewport } from './viewport.ts';
import classes from './waterfall.module.css';
import { rowId, WaterfallRow } from './waterfall_row.tsx';

const OVERSCAN_ROWS = 15;
const ROWS_AROUND = 3;
const INDENT_PX = 14;
/** Indentation may take this share of the tree's width; deeper levels move closer together. */
const INDENT_SHARE_MAX = 0.5;
export const TREE_WIDTH_MIN = 180;

export interface WaterfallHandle {
  reveal: (place: number) => void;
  focus: () => void;
}

export interface WaterfallProps {
  table: TraceTable;
  visible: VisibleRows;
  collapsed: ReadonlySet<number>;
  depthMax: number;
  viewport: Viewport;
  selected: number;
  matches: ReadonlySet<number> | undefined;
  critical: CriticalPath | undefined;
  logs: TraceLog[];
  logsByRow: Map<number, TraceLog[]>;
  rowHeight: number;
  treeWidth: number;
  /** A moment pointed at elsewhere (a log in the panel). */
  pointedNs: number | undefined;
  toolbar: ReactNode;
  find: ReactNode;
  /** Present while zoomed. */
  zoomReset: (() => void) | undefined;
  onTreeWidth: (width: number) => void;
  onSelect: (row: number) => void;
  onToggle: (row: number) => void;
  onViewport: (viewport: Viewport) => void;
  handle: Ref<WaterfallHandle>;
}

export function Waterfall(props: WaterfallProps) {
  const { table, visible, viewport, selected, treeWidth, rowHeight } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: visible.rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN_ROWS,
    // What is brought into sight comes with some rows around it.
    scrollPaddingStart: rowHeight * ROWS_AROUND,
    scrollPaddingEnd: rowHeight * ROWS_AROUND,
    getItemKey: (index) => visible.rows[index],
  });
  useImperativeHandle(props.handle, () => ({
    reveal: (place) => virtual.scrollToIndex(place),
    focus: () => scroller.current?.focus({ preventScroll: true }),
  }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height are measured anew
  useEffect(() => virtual.measure(), [rowHeight]);
  const timeline = useTimeline({
    scroller,
    viewport,
    treeWidth,
    durationNs: table.durationNs,
    onViewport: props.onViewport,
  });
  const step = Math.min(INDENT_PX, (treeWidth * INDENT_SHARE_MAX) / Math.max(props.depthMax, 1));
  return (
    <section
      className={classes.waterfall}
      style={{ '--tree-width': `${treeWidth}px` } as CSSProperties}
      aria-label="Waterfall"
    >
      <div className={classes.findRow}>
        {props.find}
        {props.zoomReset && (
          <button type="button" className={classes.zoomReset} onClick={props.zoomReset}>
            {formatDuration(viewport.to - viewport.from)} shown · whole trace <kbd>0</kbd>
          </button>
        )}
      </div>
      <div className={classes.rulerRow}>
        <div className={classes.rulerTree}>{props.toolbar}</div>
        <Ruler viewport={viewport} logs={props.logs} />
      </div>
      <div
        ref={scroller}
        role="treegrid"
        tabIndex={0}
        aria-label="Spans"
        aria-rowcount={visible.rows.length + 1}
        aria-activedescendant={selected >= 0 ? rowId(selected) : undefined}
        className={classes.rows}
        {...timeline.handlers}
      >
        <TickLines viewport={viewport} height={timeline.height} />
        <PointerLines viewport={viewport} pointedNs={props.pointedNs} timeline={timeline} />
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map((item) => {
            const row = visible.rows[item.index];
            return (
              <WaterfallRow
                key={item.key}
                table={table}
                row={row}
                place={item.index}
                top={item.start}
                height={rowHeight}
                indent={6 + table.depth[row] * step}
                viewport={viewport}
                collapsed={props.collapsed.has(row)}
                selected={row === selected}
                match={props.matches && (props.matches.has(row) ? 'hit' : 'miss')}
                logs={props.logsByRow.get(row)}
                critical={props.critical?.get(row)}
                onSelect={props.onSelect}
                onToggle={props.onToggle}
              />
            );
          })}
        </div>
      </div>
      <Splitter
        label="Width of the tree"
        value={treeWidth}
        min={TREE_WIDTH_MIN}
        max={() => (scroller.current?.clientWidth ?? 800) - 200}
        onChange={props.onTreeWidth}
        style={{ left: treeWidth - 4 }}
      />
    </section>
  );
}

/** Times at the ticks, and all logs of the trace as fine marks on the same line. */
function Ruler({ viewport, logs }: { viewport: Viewport; logs: TraceLog[] }) {
  return (
    <div className={classes.ruler}>
      {ticks(viewport).map((at) => {
        const left = percent(viewport, at);
        return (
          <span
            key={at}
            className={classes.rulerTick}
            style={{ left: `${left}%` }}
            data-last={left > 92 || undefined}
          >
            {formatDuration(at)}
          </span>
        );
      })}
      {rulerMarks(logs, viewport).map(([left, severity]) => (
        <i
          key={left}
          className={classes.rulerLog}
          data-severity={severity}
          style={{ left: `${left / 4}%` }}
        />
      ))}
    </div>
  );
}

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const;

/** At most one mark each quarter of a percent: the most severe one. */
function rulerMarks(logs: TraceLog[], viewport: Viewport): [number, TraceLog['severity']][] {
  const marks = new Map<number, TraceLog['severity']>();
  for (const log of logs) {
    const place = Math.round(percent(viewport, log.offsetNs) * 4);
    if (place < 0 || place > 400) continue;
    const known = marks.get(place);
    if (!known || RANK[log.severity] > RANK[known]) marks.set(place, log.severity);
  }
  return [...marks];
}

/** Behind the bars. */
function TickLines({ viewport, height }: { viewport: Viewport; height: number }) {
  return (
    <div className={classes.lines} aria-hidden="true">
      <div className={classes.linesBox} style={{ height }}>
        {ticks(viewport).map((at) => (
          <i key={at} className={classes.tickLine} style={{ left: `${percent(viewport, at)}%` }} />
        ))}
      </div>
    </div>
  );
}

interface PointerLinesProps {
  viewport: Viewport;
  pointedNs: number | undefined;
  timeline: ReturnType<typeof useTimeline>;
}

/** The line under the pointer, a moment pointed at elsewhere, the band being dragged: above the bars. */
function PointerLines({ viewport, pointedNs, timeline }: PointerLinesProps) {
  const pointed = pointedNs === undefined ? -1 : percent(viewport, pointedNs);
  return (
    <div className={classes.lines} data-above aria-hidden="true">
      <div className={classes.linesBox} style={{ height: timeline.height }}>
        <i ref={timeline.crosshairRef} className={classes.crosshair}>
          <span ref={timeline.crosshairTextRef} />
        </i>
        {pointed >= 0 && pointed <= 100 && <i className={classes.pointed} style={{ left: `${pointed}%` }} />}
        {timeline.band && <i className={classes.band} style={timeline.band} />}
      </div>
    </div>
  );
}
