// The trace page: loads the trace in the worker, keeps the layout meanwhile, says what went wrong.
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiError } from '../api/client.ts';
import { traceRoute } from '../router.tsx';
import { CopyText } from '../shell/copy_text.tsx';
import { ErrorNotice, Notice } from '../shell/notice.tsx';
import { TraceScreen } from '../trace/screen.tsx';
import { traceQuery } from '../trace/session.ts';
import type { TraceTable } from '../trace/table.ts';
import classes from '../trace/trace.module.css';

export function TracePage() {
  const { traceId } = traceRoute.useParams();
  const { data, error, isPending, refetch } = useQuery(traceQuery(traceId));
  useTitle(data);
  if (isPending) return <TraceSkeleton traceId={traceId} />;
  if (data && data.count > 0) return <TraceScreen key={traceId} table={data} />;
  if (error && !(error instanceof ApiError && error.status === 404)) {
    return (
      <ErrorNotice
        error={error}
        actions={
          <Button variant="default" onClick={() => refetch()}>
            Try again
          </Button>
        }
      />
    );
  }
  return (
    <Notice
      title="This trace is not here"
      actions={
        <>
          <Button variant="light" onClick={() => refetch()}>
            Look again
          </Button>
          <Button variant="default" renderRoot={(props) => <Link to="/traces" {...props} />}>
            Search traces
          </Button>
        </>
      }
    >
      <p>
        No span with the trace id <CopyText text={traceId} /> is stored. It may not have arrived yet, or
        retention has removed it.
      </p>
    </Notice>
  );
}

function useTitle(table: TraceTable | undefined) {
  useEffect(() => {
    const root =
      table && table.count > 0 ? `${table.services[table.service[0]]}: ${table.names[table.name[0]]} · ` : '';
    document.title = `${root}Trace · Throughline`;
  }, [table]);
}

function TraceSkeleton({ traceId }: { traceId: string }) {
  return (
    <div className={classes.screen} aria-busy="true">
      <header className={classes.header}>
        <div className={classes.headline}>
          <h1 className={classes.skeletonTitle}>Loading the trace</h1>
          <CopyText text={traceId} />
        </div>
        <div className={classes.skeletonFigures} />
      </header>
      <div className={classes.minimap} style={{ height: 60 }} />
      <div className={classes.skeletonRows}>
        {Array.from({ length: 14 }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows never change
          <div key={index}>
            <i style={{ marginLeft: (index % 5) * 14, width: 120 + ((index * 53) % 120) }} />
            <i style={{ marginLeft: `${(index * 3) % 40}%`, width: `${6 + ((index * 17) % 30)}%` }} />
          </div>
        ))}
      </div>
    </div>
  );
}
