import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { ServiceCount, TraceSummary } from '../api/types.ts';
import { serviceColor } from '../lib/colors.ts';
import {
  formatAge,
  formatCount,
  formatDateTime,
  formatDuration,
  parseTimeMs,
  plural,
} from '../lib/format.ts';
import { IconError } from '../shell/icons.tsx';
import classes from './search.module.css';

/** More services than this share the rest of the bar. */
const SERVICES_SHOWN_MAX = 12;

interface ResultRowProps {
  trace: TraceSummary;
  index: number;
  top: number;
  durationMax: number;
  spansMax: number;
  showMatches: boolean;
  selected: boolean;
  onSelect: (index: number) => void;
}

export const ResultRow = memo(function ResultRow(props: ResultRowProps) {
  const { trace, index, top, showMatches, selected, onSelect } = props;
  const title = `${trace.root_service}: ${trace.root_operation}`;
  return (
    <Link
      to="/traces/$traceId"
      params={{ traceId: trace.trace_id }}
      role="row"
      aria-rowindex={index + 2}
      aria-label={`${title}, ${formatDuration(trace.duration_ns)}, ${plural(trace.error_count, 'error')}`}
      className={classes.row}
      style={{ transform: `translateY(${top}px)` }}
      data-selected={selected || undefined}
      data-matches={showMatches || undefined}
      onFocus={() => onSelect(index)}
    >
      <RootCell trace={trace} />
      <TimeCell start={trace.start_time} />
      <DurationCell trace={trace} max={props.durationMax} />
      {showMatches && (
        <div role="cell" className={classes.number}>
          {formatCount(trace.matched_spans)}
        </div>
      )}
      <div role="cell" className={classes.number}>
        {formatCount(trace.span_count)}
      </div>
      <div role="cell" className={classes.errors}>
        {trace.error_count > 0 && (
          <>
            <IconError title={plural(trace.error_count, 'error')} />
            {formatCount(trace.error_count)}
          </>
        )}
      </div>
      <ServicesCell services={trace.services} total={trace.span_count} max={props.spansMax} />
    </Link>
  );
});

function RootCell({ trace }: { trace: TraceSummary }) {
  return (
    <div role="cell" className={classes.root} title={`${trace.root_service}: ${trace.root_operation}`}>
      <i className={classes.dot} style={{ background: serviceColor(trace.root_service) }} />
      <span className={classes.rootService}>{trace.root_service}</span>
      <span className={classes.rootOperation}>{trace.root_operation}</span>
      {!trace.has_root && (
        <span className={classes.noRoot} title="No root span is stored: this is the earliest span">
          no root
        </span>
      )}
    </div>
  );
}

function TimeCell({ start }: { start: string }) {
  const ms = parseTimeMs(start);
  const nowMs = Date.now();
  return (
    <div role="cell" className={classes.time} title={start}>
      <span>{formatDateTime(ms, nowMs)}</span>
      <span className="dim">{formatAge(ms, nowMs)}</span>
    </div>
  );
}

function DurationCell({ trace, max }: { trace: TraceSummary; max: number }) {
  const share = max > 0 ? (trace.duration_ns / max) * 100 : 0;
  return (
    <div role="cell" className={classes.duration}>
      <span className={classes.durationText}>{formatDuration(trace.duration_ns)}</span>
      <span className={classes.durationTrack} aria-hidden="true">
        <i style={{ width: `${share}%` }} />
      </span>
    </div>
  );
}

/** One bar, its length the number of spans beside the longest on the list, its parts the services. */
function ServicesCell({ services, total, max }: { services: ServiceCount[]; total: number; max: number }) {
  const sorted = [...services].sort((a, b) => b.span_count - a.span_count);
  const shown = sorted.slice(0, SERVICES_SHOWN_MAX);
  const label = sorted
    .map(
      (one) =>
        `${one.name}: ${plural(one.span_count, 'span')}${one.error_count ? `, ${plural(one.error_count, 'error')}` : ''}`,
    )
    .join('\n');
  // Logarithmic: one huge trace on the list must not shrink all others to nothing.
  const width = 20 + 80 * (Math.log(1 + total) / Math.log(1 + Math.max(max, 1)));
  return (
    <div role="cell" className={classes.services} title={label}>
      <span className={classes.serviceCount}>{services.length}</span>
      <span className={classes.serviceTrack}>
        <span className={classes.serviceBar} style={{ width: `${width}%` }} aria-hidden="true">
          {shown.map((one) => (
            <i
              key={one.name}
              data-error={one.error_count > 0 || undefined}
              style={{ flexGrow: one.span_count, background: serviceColor(one.name) }}
            />
          ))}
        </span>
      </span>
    </div>
  );
}
