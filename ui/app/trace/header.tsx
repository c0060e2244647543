import { ActionIcon, Tooltip } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { apiUrl } from '../api/client.ts';
import { serviceColor } from '../lib/colors.ts';
import { formatAge, formatClock, formatCount, formatDate, formatDuration } from '../lib/format.ts';
import { lastSearch } from '../search/last_search.ts';
import { CopyText } from '../shell/copy_text.tsx';
import { IconDownload, IconError, IconHelp } from '../shell/icons.tsx';
import type { TraceFigures } from './summary.ts';
import type { TraceTable } from './table.ts';
import classes from './trace.module.css';

interface HeaderProps {
  table: TraceTable;
  figures: TraceFigures;
  onHelp: () => void;
  onNextError: () => void;
}

export function TraceHeader({ table, figures, onHelp, onNextError }: HeaderProps) {
  const { root } = figures;
  const service = table.services[table.service[root]];
  const startMs = Number(table.startUnixNs / 1_000_000n);
  return (
    <header className={classes.header}>
      <div className={classes.headline}>
        <Link
          to="/traces"
          search={lastSearch() ?? {}}
          className={classes.back}
          title="Back to the search (u)"
        >
          Traces
        </Link>
        <i className={classes.headDot} style={{ background: serviceColor(service) }} />
        <h1 title={`${service}: ${table.names[table.name[root]]}`}>
          {service} <span>{table.names[table.name[root]] || '(no name)'}</span>
        </h1>
        <CopyText text={table.traceId} />
        <div className={classes.headActions}>
          <Tooltip label="Download as OTLP JSON">
            <ActionIcon
              component="a"
              variant="subtle"
              color="gray"
              href={apiUrl(`traces/${table.traceId}`)}
              download={`trace-${table.traceId}.json`}
              aria-label="Download the trace as OTLP JSON"
            >
              <IconDownload />
            </ActionIcon>
          </Tooltip>
          <Tooltip label="Keyboard (?)">
            <ActionIcon variant="subtle" color="gray" onClick={onHelp} aria-label="Keyboard shortcuts">
              <IconHelp />
            </ActionIcon>
          </Tooltip>
        </div>
      </div>
      <dl className={classes.figures}>
        <Figure name="Duration" value={formatDuration(table.durationNs)} strong />
        <Figure
          name="Start"
          value={`${formatDate(startMs)} ${formatClock(startMs)}`}
          note={formatAge(startMs, Date.now())}
        />
        <Figure name="Spans" value={formatCount(table.count)} />
        <Figure name="Services" value={formatCount(figures.services.length)} />
        <Figure name="Depth" value={formatCount(figures.depth)} />
        <div>
          <dt>Errors</dt>
          <dd>
            {figures.errors > 0 ? (
              <button
                type="button"
                className={classes.errorsButton}
                onClick={onNextError}
                title="Next error (e)"
              >
                <IconError title="" />
                {formatCount(figures.errors)}
              </button>
            ) : (
              '0'
            )}
          </dd>
        </div>
      </dl>
      {table.partial && (
        <p className={classes.partial} role="alert">
          This trace may be incomplete: stored data could not be read ({table.partial}).
        </p>
      )}
    </header>
  );
}

function Figure({
  name,
  value,
  note,
  strong,
}: {
  name: string;
  value: string;
  note?: string;
  strong?: boolean;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-strong={strong || undefined}>
        {value} {note && <span className="dim">{note}</span>}
      </dd>
    </div>
  );
}
