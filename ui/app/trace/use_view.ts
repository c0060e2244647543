// The state of the trace page that lives in its URL.
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { traceRoute } from '../router.tsx';
import type { TraceTable } from './table.ts';
import type { TraceView } from './view_state.ts';
import { formatViewport, parseViewport, type Viewport } from './viewport.ts';

export function useTraceView(table: TraceTable) {
  const view = traceRoute.useSearch();
  const navigate = useNavigate();
  const viewport = useMemo(() => parseViewport(view.zoom, table.durationNs), [view.zoom, table.durationNs]);
  // Selecting and zooming replace the entry: going back leaves the trace, as one expects.
  const change = useCallback(
    (part: Partial<TraceView>) =>
      navigate({
        to: '/traces/$traceId',
        params: { traceId: table.traceId },
        search: (now) => ({ ...now, ...part }),
        replace: true,
      }),
    [navigate, table.traceId],
  );
  const setViewport = useCallback(
    (next: Viewport) => change({ zoom: formatViewport(next, table.durationNs) }),
    [change, table.durationNs],
  );
  return { view, viewport, change, setViewport };
}
