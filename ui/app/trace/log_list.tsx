// Logs of the trace in order of time: pointing at one shows its moment on the time line, clicking
// selects its span.
import { Button } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { serviceColor } from '../lib/colors.ts';
import { formatDuration, plural } from '../lib/format.ts';
import { ErrorNotice } from '../shell/notice.tsx';
import type { TraceLog } from './logs.ts';
import classes from './panel.module.css';
import type { TraceLogs } from './use_logs.ts';

const ITEM_HEIGHT_GUESS = 44;

interface LogListProps {
  logs: TraceLogs;
  selected: number;
  onSelect: (row: number) => void;
  onPoint: (ns: number | undefined) => void;
}

export function LogList({ logs, selected, onSelect, onPoint }: LogListProps) {
  const [text, setText] = useState('');
  const shown = useMemo(() => {
    const wanted = text.toLowerCase();
    if (!wanted) return logs.all;
    return logs.all.filter((log) =>
      `${log.severityText} ${log.service} ${log.body}`.toLowerCase().includes(wanted),
    );
  }, [logs.all, text]);
  if (logs.error && logs.all.length === 0) return <ErrorNotice error={logs.error} />;
  if (logs.loading) return <p className={classes.none}>Loading the logs …</p>;
  if (logs.all.length === 0) {
    return (
      <p className={classes.none}>
        No log record carries this trace id. Logs appear here when they are sent over OTLP with the trace
        context of the code that wrote them.
      </p>
    );
  }
  return (
    <div className={classes.logTab}>
      <input
        className={classes.logFilter}
        type="search"
        placeholder={`Filter ${plural(logs.all.length, 'log')}`}
        aria-label="Filter logs"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
      />
      <VirtualLogs shown={shown} selected={selected} onSelect={onSelect} onPoint={onPoint} />
      {logs.hasMore && (
        <Button variant="default" m={8} loading={logs.loadingMore} onClick={logs.loadMore}>
          Load more logs
        </Button>
      )}
    </div>
  );
}

interface VirtualLogsProps extends Omit<LogListProps, 'logs'> {
  shown: TraceLog[];
}

function VirtualLogs({ shown, selected, onSelect, onPoint }: VirtualLogsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const clicked = useRef(-1);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ITEM_HEIGHT_GUESS,
    overscan: 10,
  });
  // A selection made elsewhere brings its first log into sight; one made here keeps the place.
  useEffect(() => {
    if (selected === -1 || clicked.current === selected) return;
    const first = shown.findIndex((log) => log.row === selected);
    if (first !== -1) virtual.scrollToIndex(first, { align: 'auto' });
  }, [selected, shown, virtual]);
  const select = (row: number) => {
    clicked.current = row;
    onSelect(row);
  };
  if (shown.length === 0) return <p className={classes.none}>No log matches</p>;
  return (
    <div ref={scroller} className={classes.logScroller} onPointerLeave={() => onPoint(undefined)}>
      <ol className={classes.logs} style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map((item) => {
          const log = shown[item.index];
          return (
            <LogItem
              key={item.key}
              measure={virtual.measureElement}
              index={item.index}
              top={item.start}
              log={log}
              selected={selected !== -1 && log.row === selected}
              showService
              onSelect={select}
              onPoint={onPoint}
            />
          );
        })}
      </ol>
    </div>
  );
}

interface LogItemProps {
  log: TraceLog;
  selected: boolean;
  showService: boolean;
  onSelect: (row: number) => void;
  onPoint: (ns: number | undefined) => void;
  measure?: (element: Element | null) => void;
  index?: number;
  top?: number;
}

export function LogItem({
  log,
  selected,
  showService,
  onSelect,
  onPoint,
  measure,
  index,
  top,
}: LogItemProps) {
  return (
    <li
      ref={measure}
      data-index={index}
      className={classes.log}
      data-severity={log.severity}
      data-selected={selected || undefined}
      style={
        top === undefined ? undefined : { position: 'absolute', top: 0, transform: `translateY(${top}px)` }
      }
      onPointerEnter={() => onPoint(log.offsetNs)}
      onPointerLeave={() => onPoint(undefined)}
    >
      <button
        type="button"
        onClick={() => log.row !== -1 && onSelect(log.row)}
        onFocus={() => onPoint(log.offsetNs)}
      >
        <span className={classes.logHead}>
          <span className={classes.logTime}>+{formatDuration(log.offsetNs)}</span>
          <span className={classes.severity} data-severity={log.severity}>
            {log.severityText || log.severity}
          </span>
          {showService && log.service && (
            <span className={classes.logService}>
              <i className={classes.dot} style={{ background: serviceColor(log.service) }} />
              {log.service}
            </span>
          )}
          {log.row === -1 && <span className="dim">no span</span>}
        </span>
        <span className={classes.logBody}>{log.body}</span>
      </button>
    </li>
  );
}
