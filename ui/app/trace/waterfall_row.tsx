// One row: tree cell on the left, bar on the time line on the right.
import { type MouseEvent, memo } from 'react';
import { serviceColor } from '../lib/colors.ts';
import { formatCount, formatDuration } from '../lib/format.ts';
import { IconError, IconErrorBelow, IconRight } from '../shell/icons.tsx';
import { barSegment, labelPlace, type Segment, selfSegments } from './bar.ts';
import type { TraceLog } from './logs.ts';
import { hasChildren } from './rows.ts';
import type { TraceTable } from './table.ts';
import { FLAG } from './tree.ts';
import { percent, type Viewport } from './viewport.ts';
import classes from './waterfall.module.css';

/** Marks beyond this many on one bar would only smear. */
const MARKS_MAX = 200;

/** Where a mark stands: whole, also at either end of the time line. */
const markLeft = (left: number) => `clamp(3px, ${left}%, calc(100% - 4px))`;

export interface RowProps {
  table: TraceTable;
  row: number;
  /** Place among the shown rows. */
  place: number;
  top: number;
  height: number;
  indent: number;
  viewport: Viewport;
  collapsed: boolean;
  selected: boolean;
  match: 'hit' | 'miss' | undefined;
  logs: TraceLog[] | undefined;
  /** When the trace waits for this span: [from, to, from, to, …]. */
  critical: number[] | undefined;
  onSelect: (row: number) => void;
  onToggle: (row: number) => void;
}

export const rowId = (row: number) => `span-row-${row}`;

export const WaterfallRow = memo(function WaterfallRow(props: RowProps) {
  const { table, row, place, top, height, selected, match, onSelect, collapsed } = props;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid handles the keys
    <div
      id={rowId(row)}
      role="row"
      aria-level={table.depth[row] + 1}
      aria-rowindex={place + 2}
      aria-selected={selected}
      aria-expanded={hasChildren(table, row) ? !collapsed : undefined}
      className={classes.row}
      data-selected={selected || undefined}
      data-match={match}
      style={{ top, height }}
      onClick={() => onSelect(row)}
    >
      <TreeCell {...props} />
      <TimeCell {...props} />
    </div>
  );
});

function TreeCell({ table, row, indent, collapsed, onToggle }: RowProps) {
  const flags = table.flags[row];
  const service = table.services[table.service[row]];
  const parent = table.parent[row];
  const sameService = parent !== -1 && table.service[parent] === table.service[row];
  const folds = hasChildren(table, row);
  const toggle = (event: MouseEvent) => {
    event.stopPropagation();
    onToggle(row);
  };
  return (
    <div role="gridcell" className={classes.treeCell} style={{ paddingLeft: indent }}>
      {folds ? (
        <button
          type="button"
          tabIndex={-1}
          className={classes.fold}
          data-open={!collapsed || undefined}
          onClick={toggle}
          aria-label={collapsed ? 'Unfold' : 'Fold'}
        >
          <IconRight size={12} />
          {collapsed && <span className={classes.hiddenCount}>{formatCount(table.end[row] - row - 1)}</span>}
        </button>
      ) : (
        <span className={classes.fold} />
      )}
      <i className={classes.serviceMark} style={{ background: serviceColor(service) }} />
      {flags & FLAG.ERROR ? <IconError /> : flags & FLAG.ERROR_BELOW ? <IconErrorBelow /> : null}
      {!sameService && <span className={classes.rowService}>{service}</span>}
      <span className={classes.rowName} title={`${service}: ${table.names[table.name[row]]}`}>
        {table.names[table.name[row]] || '(no name)'}
      </span>
      {table.note[row] > 0 && <span className={classes.note}>{table.notes[table.note[row]]}</span>}
      <Flags flags={flags} />
    </div>
  );
}

function Flags({ flags }: { flags: number }) {
  return (
    <>
      {!!(flags & FLAG.ORPHAN) && (
        <span className={classes.pill} title="The parent of this span is not in the trace">
          parent missing
        </span>
      )}
      {!!(flags & FLAG.LATE) && (
        <span className={classes.pill} title="It starts after its parent, or the root, has ended">
          late
        </span>
      )}
      {!!(flags & FLAG.CYCLE) && (
        <span
          className={classes.pill}
          title="The parents of this span lead back to it; the loop was opened here"
        >
          loop
        </span>
      )}
      {!!(flags & FLAG.DUPLICATE) && (
        <span className={classes.pill} title="Another span of this trace has the same id">
          id repeats
        </span>
      )}
    </>
  );
}

function TimeCell({ table, row, viewport, logs, critical }: RowProps) {
  const bar = barSegment(table, row, viewport);
  const duration = formatDuration(table.duration[row]);
  return (
    <div role="gridcell" className={classes.timeCell}>
      {bar ? (
        <>
          <Bar table={table} row={row} bar={bar} viewport={viewport} />
          {critical && <Critical pieces={critical} viewport={viewport} />}
          <Label bar={bar} text={duration} />
          <Events table={table} row={row} viewport={viewport} />
        </>
      ) : (
        <span className={classes.outside} data-side={table.start[row] > viewport.to ? 'right' : 'left'}>
          {table.start[row] > viewport.to ? '→' : '←'}
          <span className="visually-hidden">{duration}, outside the zoomed range</span>
        </span>
      )}
      {logs && <LogMarks logs={logs} viewport={viewport} />}
    </div>
  );
}

function Bar({
  table,
  row,
  bar,
  viewport,
}: {
  table: TraceTable;
  row: number;
  bar: Segment;
  viewport: Viewport;
}) {
  const color = serviceColor(table.services[table.service[row]]);
  const leaf = !hasChildren(table, row);
  return (
    <span
      className={classes.bar}
      data-error={(table.flags[row] & FLAG.ERROR) !== 0 || undefined}
      style={{ left: `${bar.left}%`, width: `${bar.width}%`, '--service': color } as React.CSSProperties}
    >
      {leaf ? (
        <i style={{ left: 0, width: '100%' }} />
      ) : (
        selfSegments(table, row, bar, viewport).map((segment) => (
          <i key={segment.left} style={{ left: `${segment.left}%`, width: `${segment.width}%` }} />
        ))
      )}
    </span>
  );
}

/** Under the bar. */
function Critical({ pieces, viewport }: { pieces: number[]; viewport: Viewport }) {
  const lines = [];
  for (let at = 0; at < pieces.length && lines.length < MARKS_MAX; at += 2) {
    const left = Math.max(percent(viewport, pieces[at]), -1);
    const right = Math.min(percent(viewport, pieces[at + 1]), 101);
    if (right < 0 || left > 100) continue;
    const style = { left: `${left}%`, width: `${right - left}%` };
    lines.push(<i key={at} className={classes.criticalLine} style={style} />);
  }
  return lines;
}

function Label({ bar, text }: { bar: Segment; text: string }) {
  const { inside, ...place } = labelPlace(bar);
  return (
    <span className={classes.barLabel} data-inside={inside || undefined} style={place}>
      {text}
    </span>
  );
}

function Events({ table, row, viewport }: { table: TraceTable; row: number; viewport: Viewport }) {
  const from = table.eventStart[row];
  const to = Math.min(table.eventStart[row + 1], from + MARKS_MAX);
  const marks = [];
  for (let at = from; at < to; at++) {
    const left = percent(viewport, table.eventTimes[at]);
    if (left >= 0 && left <= 100)
      marks.push(<i key={at} className={classes.eventMark} style={{ left: markLeft(left) }} />);
  }
  return marks;
}

function LogMarks({ logs, viewport }: { logs: TraceLog[]; viewport: Viewport }) {
  return logs.slice(0, MARKS_MAX).map((log, index) => {
    const left = percent(viewport, log.offsetNs);
    if (left < 0 || left > 100) return null;
    return (
      <i
        // biome-ignore lint/suspicious/noArrayIndexKey: logs of a row keep their order
        key={index}
        className={classes.logMark}
        data-severity={log.severity}
        style={{ left: markLeft(left) }}
        title={`${log.severityText} ${log.body}`.slice(0, 300)}
      />
    );
  });
}
