// The search page: the URL says what is asked; filters above, scatter plot, list of traces.
import { Button, Modal } from '@mantine/core';
import { type InfiniteData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';
import { anyTraceQuery, tracesQuery } from '../api/queries.ts';
import type { TracePage } from '../api/types.ts';
import { formatCount } from '../lib/format.ts';
import { useKeys } from '../lib/keys.ts';
import type { Interval } from '../lib/time_range.ts';
import { searchRoute } from '../router.tsx';
import { NoData, NoMatch } from '../search/empty.tsx';
import { FilterBar } from '../search/filter_bar.tsx';
import { rememberSearch } from '../search/last_search.ts';
import { isNarrowed, type TraceQuery } from '../search/query.ts';
import { ResultSkeleton, Results } from '../search/results.tsx';
import { Scatter } from '../search/scatter.tsx';
import classes from '../search/search.module.css';
import { KeyHelp, SEARCH_KEYS } from '../shell/key_help.tsx';
import { ErrorNotice } from '../shell/notice.tsx';

type Pages = InfiniteData<TracePage & { interval: Interval | undefined }>;

export function SearchPage() {
  const query = searchRoute.useSearch();
  const navigate = useNavigate();
  const filterRef = useRef<HTMLInputElement>(null);
  const search = useInfiniteQuery(tracesQuery(query));
  const traces = useMemo(() => search.data?.pages.flatMap((page) => page.traces) ?? [], [search.data]);
  const [selected, setSelected] = useState(-1);
  const [help, setHelp] = useState(false);
  useTitle();
  useEffect(() => {
    rememberSearch(query);
    setSelected(-1);
  }, [query]);

  const change = (part: Partial<TraceQuery>) => navigate({ to: '/traces', search: { ...query, ...part } });
  const open = (index: number) => {
    const trace = traces[index];
    if (trace) navigate({ to: '/traces/$traceId', params: { traceId: trace.trace_id } });
  };
  const move = (by: number) => setSelected((at) => Math.min(Math.max(at + by, 0), traces.length - 1));
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: () => open(selected),
    '/': () => filterRef.current?.focus(),
    r: () => search.refetch(),
    e: () => change({ status: query.status === 'error' ? undefined : 'error' }),
    '?': () => setHelp(true),
  });

  return (
    <div className={classes.page}>
      <h1 className="visually-hidden">Search traces</h1>
      <FilterBar
        query={query}
        onChange={change}
        onRefresh={() => search.refetch()}
        refreshing={search.isFetching && !search.isFetchingNextPage}
        filterRef={filterRef}
      />
      <Scatter
        traces={traces}
        interval={search.data?.pages[0]?.interval}
        whole={!search.hasNextPage}
        selected={selected}
        onOpen={open}
        onZoom={({ startMs, endMs }) =>
          change({
            range: undefined,
            start: new Date(startMs).toISOString(),
            end: new Date(endMs).toISOString(),
          })
        }
      />
      <SearchBody
        query={query}
        search={search}
        traces={traces}
        selected={selected}
        onSelect={setSelected}
        onChange={change}
      />
      <Modal opened={help} onClose={() => setHelp(false)} title="Keyboard" size="sm">
        <KeyHelp keys={SEARCH_KEYS} />
      </Modal>
    </div>
  );
}

function useTitle() {
  useEffect(() => {
    document.title = 'Traces · Throughline';
  }, []);
}

interface SearchBodyProps {
  query: TraceQuery;
  search: ReturnType<typeof useInfiniteQuery<Pages['pages'][number]>>;
  traces: TracePage['traces'];
  selected: number;
  onSelect: (index: number) => void;
  onChange: (change: Partial<TraceQuery>) => void;
}

function SearchBody({ query, search, traces, selected, onSelect, onChange }: SearchBodyProps) {
  const empty = search.isSuccess && !search.isPlaceholderData && traces.length === 0;
  const any = useQuery(anyTraceQuery(empty));
  const showMatches = isNarrowed(query);
  const retry = (
    <Button variant="default" onClick={() => search.refetch()}>
      Try again
    </Button>
  );
  if (search.isError && traces.length === 0) return <ErrorNotice error={search.error} actions={retry} />;
  if (search.isPending || (empty && any.isPending)) return <ResultSkeleton showMatches={showMatches} />;
  if (empty && any.data === false) return <NoData onRetry={() => search.refetch()} />;
  if (empty) return <NoMatch query={query} onChange={onChange} />;
  return (
    <Results
      traces={traces}
      showMatches={showMatches}
      selected={selected}
      onSelect={onSelect}
      dimmed={search.isPlaceholderData}
      footer={<Footer search={search} count={traces.length} />}
    />
  );
}

function Footer({ search, count }: Pick<SearchBodyProps, 'search'> & { count: number }) {
  const partial = search.data?.pages.some((page) => (page as TracePage).stats?.partial?.length);
  return (
    <div className={classes.footer}>
      {search.isError ? (
        <ErrorNotice error={search.error} />
      ) : (
        <span>
          {formatCount(count)} {count === 1 ? 'trace' : 'traces'}, newest first
          {partial && ' · partial: some data could not be read'}
        </span>
      )}
      {search.hasNextPage ? (
        <Button variant="default" loading={search.isFetchingNextPage} onClick={() => search.fetchNextPage()}>
          Load more
        </Button>
      ) : (
        <span>That is all of this range</span>
      )}
    </div>
  );
}
