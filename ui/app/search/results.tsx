// The list of traces: virtual rows of one height, so that nothing moves while pages arrive.
import { useVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useEffect, useRef } from 'react';
import type { TraceSummary } from '../api/types.ts';
import { ResultRow } from './result_row.tsx';
import classes from './search.module.css';

const ROW_HEIGHT = 36;
const OVERSCAN_ROWS = 12;

interface ResultsProps {
  traces: TraceSummary[];
  /** A narrowed search shows how many spans matched. */
  showMatches: boolean;
  selected: number;
  onSelect: (index: number) => void;
  footer: React.ReactNode;
  dimmed: boolean;
}

export function Results({ traces, showMatches, selected, onSelect, footer, dimmed }: ResultsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: traces.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN_ROWS,
  });
  useEffect(() => {
    if (selected >= 0) virtual.scrollToIndex(selected);
  }, [selected, virtual]);
  const durationMax = traces.reduce((max, trace) => Math.max(max, trace.duration_ns), 0);
  const spansMax = traces.reduce((max, trace) => Math.max(max, trace.span_count), 0);
  return (
    <div ref={scroller} className={classes.scroller} data-dimmed={dimmed || undefined}>
      <div role="table" aria-label="Traces" aria-rowcount={traces.length + 1} className={classes.table}>
        <HeadRow showMatches={showMatches} />
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map((item) => (
            <ResultRow
              key={item.key}
              top={item.start}
              index={item.index}
              trace={traces[item.index]}
              durationMax={durationMax}
              spansMax={spansMax}
              showMatches={showMatches}
              selected={item.index === selected}
              onSelect={onSelect}
            />
          ))}
        </div>
      </div>
      {footer}
    </div>
  );
}

export function HeadRow({ showMatches }: { showMatches: boolean }) {
  return (
    <div role="row" className={classes.head} data-matches={showMatches || undefined}>
      <div role="columnheader">Service: operation</div>
      <div role="columnheader" aria-sort="descending">
        Start
      </div>
      <div role="columnheader">Duration</div>
      {showMatches && <div role="columnheader">Matched</div>}
      <div role="columnheader">Spans</div>
      <div role="columnheader">Errors</div>
      <div role="columnheader">Services</div>
    </div>
  );
}

/** Rows of the right height while the first page is on its way. */
export function ResultSkeleton({ showMatches }: { showMatches: boolean }) {
  return (
    <div className={classes.scroller} aria-busy="true" role="status" aria-label="Searching">
      <div className={classes.table}>
        <HeadRow showMatches={showMatches} />
        {Array.from({ length: 16 }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows never change
          <div key={index} className={classes.skeletonRow}>
            <i style={{ width: `${18 + ((index * 37) % 17)}%` }} />
            <i style={{ width: '10%' }} />
            <i style={{ width: `${6 + ((index * 23) % 9)}%` }} />
            <i style={{ width: '22%' }} />
          </div>
        ))}
      </div>
    </div>
  );
}

export type InputRef = RefObject<HTMLInputElement | null>;
