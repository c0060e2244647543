// All of the selected span.
import { TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { serviceColor } from '../lib/colors.ts';
import { formatClock, formatDate, formatDuration } from '../lib/format.ts';
import { exactFilter } from '../search/filters.ts';
import { CopyText } from '../shell/copy_text.tsx';
import { IconError } from '../shell/icons.tsx';
import { ErrorNotice } from '../shell/notice.tsx';
import { AttributeTable } from './attribute_table.tsx';
import type { SpanDetail } from './detail.ts';
import { LogItem } from './log_list.tsx';
import type { TraceLog } from './logs.ts';
import classes from './panel.module.css';
import { searchNear } from './search_near.ts';
import { detailQuery } from './session.ts';
import type { TraceTable } from './table.ts';
import { FLAG } from './tree.ts';

const LOGS_SHOWN_MAX = 50;

interface SpanPanelProps {
  table: TraceTable;
  row: number;
  logs: TraceLog[];
  onSelect: (row: number) => void;
  onPoint: (ns: number | undefined) => void;
}

export function SpanPanel({ table, row, logs, onSelect, onPoint }: SpanPanelProps) {
  const { data, error } = useQuery(detailQuery(table.traceId, row));
  const [filter, setFilter] = useState('');
  return (
    <div className={classes.span}>
      <SpanHead table={table} row={row} detail={data ?? undefined} onSelect={onSelect} />
      {error && <ErrorNotice error={error} />}
      {data && (
        <>
          <TextInput
            placeholder="Filter attributes"
            aria-label="Filter attributes"
            value={filter}
            onChange={(event) => setFilter(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Escape') return;
              setFilter('');
              event.currentTarget.blur();
            }}
            my={10}
          />
          <Sections table={table} detail={data} filter={filter} />
        </>
      )}
      {logs.length > 0 && (
        <Section title="Logs" count={logs.length}>
          <ol className={classes.logs}>
            {logs.slice(0, LOGS_SHOWN_MAX).map((log, index) => (
              <LogItem
                // biome-ignore lint/suspicious/noArrayIndexKey: the list keeps its order
                key={index}
                log={log}
                selected={false}
                showService={false}
                onSelect={onSelect}
                onPoint={onPoint}
              />
            ))}
          </ol>
          {logs.length > LOGS_SHOWN_MAX && <p className={classes.none}>The others are in the tab Logs</p>}
        </Section>
      )}
    </div>
  );
}

function Sections({ table, detail, filter }: { table: TraceTable; detail: SpanDetail; filter: string }) {
  const near = (place: 'span' | 'resource') => (attribute: { key: string; value: string }) =>
    searchNear(table, exactFilter(place, attribute.key, attribute.value));
  return (
    <>
      <Section title="Attributes" count={detail.attributes.length} dropped={detail.dropped.attributes}>
        <AttributeTable attributes={detail.attributes} filter={filter} searchFor={near('span')} />
      </Section>
      {(detail.events.length > 0 || detail.dropped.events > 0) && (
        <Section title="Events" count={detail.events.length} dropped={detail.dropped.events}>
          {detail.events.map((event, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: events keep their order
            <div key={index} className={classes.event}>
              <div className={classes.eventHead}>
                <strong>{event.name || '(no name)'}</strong>
                <span className="dim">+{formatDuration(event.offsetNs)}</span>
              </div>
              {event.attributes.length > 0 && (
                <AttributeTable attributes={event.attributes} filter={filter} />
              )}
            </div>
          ))}
        </Section>
      )}
      {(detail.links.length > 0 || detail.dropped.links > 0) && (
        <Section title="Links" count={detail.links.length} dropped={detail.dropped.links}>
          {detail.links.map((link) => (
            <div key={`${link.traceId}${link.spanId}`} className={classes.event}>
              <Link
                to="/traces/$traceId"
                params={{ traceId: link.traceId }}
                search={{ span: link.spanId }}
                className="mono"
              >
                {link.traceId === table.traceId
                  ? `this trace, span ${link.spanId}`
                  : `${link.traceId} · ${link.spanId}`}
              </Link>
              {link.attributes.length > 0 && <AttributeTable attributes={link.attributes} filter={filter} />}
            </div>
          ))}
        </Section>
      )}
      <Section title="Resource" count={detail.resource.length}>
        <AttributeTable attributes={detail.resource} filter={filter} searchFor={near('resource')} />
      </Section>
      {detail.scope.length > 0 && (
        <Section title="Instrumentation scope">
          <AttributeTable attributes={detail.scope} filter={filter} />
        </Section>
      )}
    </>
  );
}

interface SpanHeadProps {
  table: TraceTable;
  row: number;
  detail: SpanDetail | undefined;
  onSelect: (row: number) => void;
}

function SpanHead({ table, row, detail, onSelect }: SpanHeadProps) {
  const service = table.services[table.service[row]];
  const parent = table.parent[row];
  const startMs = Number((table.startUnixNs + BigInt(Math.round(table.start[row]))) / 1_000n) / 1_000;
  const share = table.durationNs > 0 ? (table.duration[row] / table.durationNs) * 100 : 0;
  return (
    <>
      <h2 className={classes.title}>{table.names[table.name[row]] || '(no name)'}</h2>
      <div className={classes.subtitle}>
        <i className={classes.dot} style={{ background: serviceColor(service) }} />
        <span>{service}</span>
        <span className="dim">{detail?.kind ?? ' '}</span>
      </div>
      <SpanStatus flags={table.flags[row]} detail={detail} />
      <dl className={classes.facts}>
        <Fact name="Duration">
          {formatDuration(table.duration[row])}{' '}
          <span className="dim">{share.toFixed(share < 10 ? 1 : 0)} % of the trace</span>
        </Fact>
        <Fact name="Self time">{formatDuration(table.self[row])}</Fact>
        <Fact name="Starts at">
          +{formatDuration(table.start[row])}{' '}
          <span className="dim" title={detail ? `${detail.startUnixNs} ns` : undefined}>
            {formatDate(startMs)} {formatClock(startMs)}
          </span>
        </Fact>
        <Fact name="Span id">
          <CopyText text={table.spanIds[row]} />
        </Fact>
        <Fact name="Parent">
          {parent !== -1 ? (
            <button type="button" className={classes.link} onClick={() => onSelect(parent)}>
              {table.names[table.name[parent]] || table.spanIds[parent]}
            </button>
          ) : table.flags[row] & FLAG.ORPHAN ? (
            <>
              <span className="mono">{detail?.parentSpanId}</span>{' '}
              <span className="dim">is not in this trace</span>
            </>
          ) : (
            <span className="dim">none: a root</span>
          )}
        </Fact>
        {detail?.traceState && (
          <Fact name="Trace state">
            <span className="mono">{detail.traceState}</span>
          </Fact>
        )}
      </dl>
    </>
  );
}

function SpanStatus({ flags, detail }: { flags: number; detail: SpanDetail | undefined }) {
  if (!(flags & FLAG.ERROR)) return null;
  return (
    <div className={classes.errorBox}>
      <IconError title="" />
      <span>{detail?.statusMessage || 'This span ended with an error'}</span>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface SectionProps {
  title: string;
  count?: number;
  dropped?: number;
  children: ReactNode;
}

function Section({ title, count, dropped, children }: SectionProps) {
  return (
    <details open className={classes.section}>
      <summary>
        {title}
        {count !== undefined && <span className={classes.count}>{count}</span>}
        {!!dropped && <span className={classes.dropped}>{dropped} dropped by the sender</span>}
      </summary>
      {children}
    </details>
  );
}
