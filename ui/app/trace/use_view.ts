// The state of the trace page that lives in its URL: selection, zoom, search, tab.
//
// Changes show at once and reach the URL a moment later, in one piece: browsers refuse a page that
// rewrites its address at the rate at which a held key repeats.
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { traceRoute } from '../router.tsx';
import type { TraceTable } from './table.ts';
import type { TraceView } from './view_state.ts';
import { formatViewport, parseViewport, type Viewport } from './viewport.ts';

const URL_PAUSE_MS = 200;

export function useTraceView(table: TraceTable) {
  const [view, change] = useDelayedUrl(table.traceId);
  const viewport = useMemo(() => parseViewport(view.zoom, table.durationNs), [view.zoom, table.durationNs]);
  const setViewport = useCallback(
    (next: Viewport) => change({ zoom: formatViewport(next, table.durationNs) }),
    [change, table.durationNs],
  );
  return { view, viewport, change, setViewport };
}

function useDelayedUrl(traceId: string): [TraceView, (part: Partial<TraceView>) => void] {
  const inUrl = traceRoute.useSearch();
  const navigate = useNavigate();
  const [view, setView] = useState<TraceView>(inUrl);
  const latest = useRef(view);
  const written = useRef(JSON.stringify(inUrl));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  // A URL that was not written here (back, forward, a link to another span) is followed.
  useEffect(() => {
    const text = JSON.stringify(inUrl);
    if (text === written.current) return;
    clearTimeout(timer.current);
    written.current = text;
    latest.current = inUrl;
    setView(inUrl);
  }, [inUrl]);

  const change = useCallback(
    (part: Partial<TraceView>) => {
      latest.current = { ...latest.current, ...part };
      setView(latest.current);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        const { span, zoom, q, tab } = latest.current;
        const search = { ...(span && { span }), ...(zoom && { zoom }), ...(q && { q }), ...(tab && { tab }) };
        written.current = JSON.stringify(search);
        // Replaced: going back leaves the trace, as one expects.
        navigate({ to: '/traces/$traceId', params: { traceId }, search, replace: true });
      }, URL_PAUSE_MS);
    },
    [navigate, traceId],
  );
  return [view, change];
}
